"""A simulator of a controller that takes orders by the L2VPN service model: its services and sites.

Its records are made by hand after the YANG module ietf-l2vpn-svc (2018-10-09, RFC 8466); ``MODEL`` is what
of it this and the cell know, and tests/test_wan_links_ietf_l2vpn.py compares the one with the other. No
real controller was asked: it can't show what one leaves out or adds. Of TeraFlowSDN it is known that it
answers for one service by its id only, and lists none: such a controller fails a poll.
"""

from tests.fakes import restconf

MODULE = "ietf-l2vpn-svc"
SERVICES = f"{MODULE}:l2vpn-svc/vpn-services"
SITES = f"{MODULE}:l2vpn-svc/sites"
KINDS = ("vpws", "pwe3", "ldp-l2tp-vpls", "bgp-vpls", "vpws-evpn", "pbb-evpn")

# What the module says: str, bool, "uint64" (text in JSON), int (of 32 bits or less), "identity", a dict
# (container) or a list of one dict (list).
ROLE = {"vpn-id": str, "site-role": "identity"}
MODEL = {
    "vpn-service": {
        "vpn-id": str,
        "vpn-svc-type": "identity",
        "customer-name": str,
        "svc-topo": "identity",
        "ce-vlan-preservation": bool,
        "ce-vlan-cos-preservation": bool,
    },
    "site": {
        "site-id": str,
        "site-vpn-flavor": "identity",
        "devices": {"device": [{"device-id": str, "location": str}]},
        "management": {"type": "identity"},
        "locations": {
            "location": [
                {
                    "location-id": str,
                    "address": str,
                    "postal-code": str,
                    "state": str,
                    "city": str,
                    "country-code": str,
                }
            ]
        },
        "vpn-policies": {
            "vpn-policy": [{"vpn-policy-id": str, "entries": [{"id": str, "vpn": [ROLE]}]}]
        },
        "actual-site-start": str,
        "actual-site-stop": str,
        "default-ce-vlan-id": int,
        "site-network-accesses": {
            "site-network-access": [
                {
                    "network-access-id": str,
                    "location-reference": str,
                    "device-reference": str,
                    "bearer": {"bearer-reference": str},
                    "connection": {
                        "encapsulation-type": "identity",
                        "eth-inf-type": "identity",
                        "tagged-interface": {
                            "type": "identity",
                            "dot1q-vlan-tagged": {"tg-type": "identity", "cvlan-id": int},
                            "qinq": {"tag-type": "identity", "svlan-id": int, "cvlan-id": int},
                            "qinany": {"tag-type": "identity", "svlan-id": int},
                            "vxlan": {"vni-id": int, "peer-mode": "identity"},
                        },
                    },
                    "vpn-attachment": {**ROLE, "vpn-policy-id": str},
                    "service": {
                        "svc-bandwidth": {
                            "bandwidth": [
                                {
                                    "direction": "identity",
                                    "type": "identity",
                                    "vpn-id": str,
                                    "cos-id": int,
                                    "cir": "uint64",
                                    "cbs": "uint64",
                                    "eir": "uint64",
                                }
                            ]
                        },
                        "svc-mtu": int,
                    },
                }
            ]
        },
    },
}


class L2vpn(restconf.Controller):
    """``services`` and ``sites``, in the order that they are listed in."""

    def __init__(self, **more):
        self.services, self.sites = [], []
        super().__init__(**{"modules": (MODULE,), **more})

    def data(self):
        lists = {
            SERVICES: (f"{MODULE}:vpn-services", "vpn-service", self.services),
            SITES: (f"{MODULE}:sites", "site", self.sites),
        }
        return {path: {top: {name: each}} for path, (top, name, each) in lists.items() if each}

    def service(self, vpn, **changed):
        made = {
            "vpn-id": vpn,
            "vpn-svc-type": f"{MODULE}:vpws",
            "customer-name": "Invented Retail",
            "svc-topo": f"{MODULE}:any-to-any",
            "ce-vlan-preservation": True,
            "ce-vlan-cos-preservation": True,
            **changed,
        }
        self.services.append({name: each for name, each in made.items() if each is not None})
        return self.services[-1]

    def site(self, name, *accesses, **changed):
        made = {
            "site-id": name,
            "management": {"type": f"{MODULE}:customer-managed"},
            "locations": {
                "location": [{"location-id": "main", "city": name.title(), "country-code": "JP"}]
            },
            "default-ce-vlan-id": 1,
            "site-network-accesses": {"site-network-access": list(accesses)},
            **changed,
        }
        self.sites.append({name: each for name, each in made.items() if each is not None})
        return self.sites[-1]

    @staticmethod
    def access(vpn, port, mbps=100, role="any-to-any-role", vlan=120, **changed):
        """An access of a site to a service, at a port."""
        rates = [
            {
                "direction": f"{MODULE}:{direction}",
                "type": f"{MODULE}:bw-per-port",
                "cir": str(mbps * 10**6),
                "cbs": "1000000",
            }
            for direction in ("input-bw", "output-bw")
        ]
        made = {
            "network-access-id": f"access-{port}",
            "location-reference": "main",
            "bearer": {"bearer-reference": port},
            "connection": {
                "encapsulation-type": f"{MODULE}:vlan",
                "eth-inf-type": f"{MODULE}:tagged",
                "tagged-interface": {
                    "type": f"{MODULE}:dot1q",
                    "dot1q-vlan-tagged": {"tg-type": f"{MODULE}:c-vlan", "cvlan-id": vlan},
                },
            },
            "vpn-attachment": {"vpn-id": vpn, "site-role": f"{MODULE}:{role}"},
            "service": {"svc-bandwidth": {"bandwidth": rates}, "svc-mtu": 1500},
            **changed,
        }
        return {name: each for name, each in made.items() if each is not None}
