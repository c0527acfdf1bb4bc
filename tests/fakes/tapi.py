"""A simulator of a TAPI 2.1.3 controller: its connectivity services and service interface points.

Its records are made by hand after ONF's YANG modules tapi-common (2020-04-23) and tapi-connectivity
(2020-06-16); ``MODEL`` is what of these modules it and the cell know, and tests/test_wan_links_tapi.py
compares the one with the other. No real controller was asked: it can't show which of the optional
fields one sends, nor how it names its points. Numbers of 64 bits are text, as RFC 7951 has them; a
controller that sends numbers is one line of a test.
"""

from tests.fakes import restconf

CONTEXT = "tapi-common:context"
SERVICES = f"{CONTEXT}/tapi-connectivity:connectivity-context/connectivity-service"
POINTS = f"{CONTEXT}/service-interface-point"
MODULES = ("tapi-common", "tapi-connectivity", "tapi-topology")

LIFECYCLES = ("PLANNED", "POTENTIAL_AVAILABLE", "POTENTIAL_BUSY", "INSTALLED", "PENDING_REMOVAL")
UNITS = ("TB", "TBPS", "GB", "GBPS", "MB", "MBPS", "KB", "KBPS", "GHz", "MHz")
LAYERS = ("ODU", "ETH", "DSR", "PHOTONIC_MEDIA")
KINDS = (
    "POINT_TO_POINT_CONNECTIVITY",
    "POINT_TO_MULTIPOINT_CONNECTIVITY",
    "MULTIPOINT_CONNECTIVITY",
    "ROOTED_MULTIPOINT_CONNECTIVITY",
)

# What the modules say: str, "uint64" (text in JSON), "identity", a tuple of words, a dict (container) or
# a list of one dict (list).
NAME = [{"value-name": str, "value": str}]
STATES = {
    "administrative-state": ("LOCKED", "UNLOCKED"),
    "operational-state": ("DISABLED", "ENABLED"),
    "lifecycle-state": LIFECYCLES,
}
AMOUNT = {"value": "uint64", "unit": UNITS}
CAPACITY = {
    "total-size": AMOUNT,
    "bandwidth-profile": {
        "bw-profile-type": ("MEF_10.x", "RFC_2697", "RFC_2698", "RFC_4115"),
        "committed-information-rate": AMOUNT,
        "peak-information-rate": AMOUNT,
    },
}
MODEL = {
    "service-interface-point": {
        "uuid": str,
        "name": NAME,
        "layer-protocol-name": LAYERS,
        "supported-layer-protocol-qualifier": ["identity"],
        "direction": ("BIDIRECTIONAL", "INPUT", "OUTPUT", "UNIDENTIFIED_OR_UNKNOWN"),
        "total-potential-capacity": CAPACITY,
        "available-capacity": CAPACITY,
        **STATES,
    },
    "connectivity-service": {
        "uuid": str,
        "name": NAME,
        "end-point": [
            {
                "local-id": str,
                "name": NAME,
                "layer-protocol-name": LAYERS,
                "layer-protocol-qualifier": "identity",
                "service-interface-point": {"service-interface-point-uuid": str},
                "capacity": CAPACITY,
                "direction": ("BIDIRECTIONAL", "INPUT", "OUTPUT", "UNIDENTIFIED_OR_UNKNOWN"),
                "role": ("SYMMETRIC", "ROOT", "LEAF", "TRUNK", "UNKNOWN"),
                "protection-role": (
                    "WORK",
                    "PROTECT",
                    "PROTECTED",
                    "NA",
                    "WORK_RESTORE",
                    "PROTECT_RESTORE",
                ),
                **STATES,
            }
        ],
        "connection": [{"connection-uuid": str}],
        "service-layer": LAYERS,
        "service-type": KINDS,
        "service-level": str,
        "requested-capacity": CAPACITY,
        "connectivity-direction": ("BIDIRECTIONAL", "UNIDIRECTIONAL", "UNDEFINED_OR_UNKNOWN"),
        "schedule": {"end-time": str, "start-time": str},
        "coroute-inclusion": {"connectivity-service-uuid": str},
        "diversity-exclusion": [{"connectivity-service-uuid": str}],
        "resilience-type": dict,
        **STATES,
    },
}


class Tapi(restconf.Controller):
    """``services`` and ``points``, in the order that they are listed in."""

    def __init__(self, **more):
        self.services, self.points = [], []
        super().__init__(**{"modules": MODULES, **more})

    def data(self):
        lists = {
            SERVICES: ("tapi-connectivity:connectivity-service", self.services),
            POINTS: ("tapi-common:service-interface-point", self.points),
        }
        return {path: {name: each} for path, (name, each) in lists.items() if each}

    def point(self, called, **changed):
        """A service interface point that is called so; its uuid. None removes a field."""
        number = len(self.points) + 1
        made = {
            "uuid": f"51b00000-0000-4000-8000-{number:012x}",
            "name": [{"value-name": "SIP_NAME", "value": called}],
            "layer-protocol-name": "ETH",
            "administrative-state": "UNLOCKED",
            "operational-state": "ENABLED",
            "lifecycle-state": "INSTALLED",
            **changed,
        }
        self.points.append({name: each for name, each in made.items() if each is not None})
        return made["uuid"]

    def service(self, *at, **changed):
        """A service between the points of these uuids; the service, of which None removes a field."""
        number = len(self.services) + 1
        ends = [
            {
                "local-id": f"end-{place}",
                "layer-protocol-name": "ETH",
                "service-interface-point": {"service-interface-point-uuid": point},
                "direction": "BIDIRECTIONAL",
                "role": "SYMMETRIC",
            }
            for place, point in enumerate(at, 1)
        ]
        made = {
            "uuid": f"5e41ce00-0000-4000-8000-{number:012x}",
            "name": [{"value-name": "SERVICE_NAME", "value": f"service {number}"}],
            "service-layer": "ETH",
            "service-type": KINDS[0] if len(at) < 3 else KINDS[2],
            "connectivity-direction": "BIDIRECTIONAL",
            "requested-capacity": {"total-size": {"value": "10", "unit": "GBPS"}},
            "administrative-state": "UNLOCKED",
            "operational-state": "ENABLED",
            "lifecycle-state": "INSTALLED",
            "end-point": ends,
            "connection": [{"connection-uuid": f"c0000000-0000-4000-8000-{number:012x}"}],
            **changed,
        }
        self.services.append({name: each for name, each in made.items() if each is not None})
        return self.services[-1]
