"""What the controllers hold that the cassettes of tapi and ietf_l2vpn are recorded from.

Both are simulators, written after the YANG modules: tests/fakes/tapi.py and tests/fakes/ietf_l2vpn.py say what
they can't show. Everything in them is invented.
"""

from typing import Any

from tests.fakes.ietf_l2vpn import L2vpn
from tests.fakes.restconf import PASSWORD, USER
from tests.fakes.tapi import Tapi

LOGIN = {"username": USER, "password": PASSWORD}  # that the simulators take


def tapi(port: int) -> Tapi:
    """Services of each form and in each state; the caller stops it."""
    controller = Tapi(port=port)
    port_of = {
        name: controller.point(name)
        for name in (
            "tyo1-pe1 xe-0/0/1",
            "osa2-pe1 xe-0/0/4",
            "fra1-pe2 et-0/1/0",
            "gru-pe1 xe-1/0/0",
        )
    }
    tokyo, osaka, frankfurt, paulo = port_of.values()
    inventory = [{"value-name": "INVENTORY_ID", "value": "/ne=zrh1/r=1/sh=1/s_sh=2/p=7"}]
    zurich = controller.point("", name=inventory)
    bare = controller.point("", name=None)
    _named(controller, "東京 - 大阪", tokyo, osaka)
    _named(controller, "Tokyo - Frankfurt", tokyo, frankfurt, **{"operational-state": "DISABLED"})
    _named(controller, "Zürich - São Paulo", zurich, paulo, **{"administrative-state": "LOCKED"})
    planned = {"lifecycle-state": "PLANNED", "operational-state": "DISABLED"}
    _named(controller, "Frankfurt - Zürich", frankfurt, zurich, **planned)
    _named(controller, "going", osaka, paulo, **{"lifecycle-state": "PENDING_REMOVAL"})
    profile = {"committed-information-rate": {"value": "500", "unit": "MBPS"}}
    _named(
        controller,
        "E-LAN shop",
        tokyo,
        osaka,
        frankfurt,
        bare,
        **{"requested-capacity": {"bandwidth-profile": profile}},
    )
    spectrum = {"total-size": {"value": "50", "unit": "GHz"}}
    optical = {"service-layer": "PHOTONIC_MEDIA", "requested-capacity": spectrum}
    _named(controller, "wave 17", tokyo, zurich, **optical)
    one_way = {"connectivity-direction": "UNIDIRECTIONAL", "name": None}
    controller.service(osaka, frankfurt, uuid="5e41ce00-0000-4000-8000-0000000000af", **one_way)
    controller.service(frankfurt, osaka, uuid="5e41ce00-0000-4000-8000-0000000000fa", **one_way)
    controller.services.append({"uuid": "5e41ce00-0000-4000-8000-00000000beef"})
    return controller


def _named(controller: Tapi, name: str, *at: str, **changed: Any) -> None:
    controller.service(*at, name=[{"value-name": "SERVICE_NAME", "value": name}], **changed)


def l2vpn(port: int) -> L2vpn:
    """Services between two sites and among more, in each state that the model lets tell."""
    controller = L2vpn(port=port)
    controller.service("vpn-tokyo-osaka")
    controller.service("vpn-shops", **{"vpn-svc-type": "ietf-l2vpn-svc:bgp-vpls"})
    controller.service("vpn-hub", **{"svc-topo": "ietf-l2vpn-svc:hub-spoke"})
    controller.service("vpn-old", **{"vpn-svc-type": None, "vpn-scv-type": "vpws"})
    controller.service("vpn-ordered", **{"customer-name": "Größe & Söhne"})
    started = {"actual-site-start": "2026-03-01T09:00:00+09:00"}
    controller.site(
        "tokyo",
        controller.access("vpn-tokyo-osaka", "tyo1-pe1 xe-0/0/1", mbps=1000),
        controller.access("vpn-shops", "tyo1-pe1 xe-0/0/2", vlan=200),
        controller.access("vpn-hub", "tyo1-pe1 xe-0/0/3", role="hub-role", vlan=300),
        **started,
    )
    controller.site(
        "osaka",
        controller.access("vpn-tokyo-osaka", "osa2-pe1 xe-0/0/4", mbps=500),
        controller.access("vpn-shops", "osa2-pe1 xe-0/0/5", vlan=200),
        **started,
    )
    policy = {
        "vpn-policy": [
            {
                "vpn-policy-id": "both",
                "entries": [
                    {
                        "id": "1",
                        "vpn": [
                            {"vpn-id": vpn, "site-role": "ietf-l2vpn-svc:spoke-role"}
                            for vpn in ("vpn-hub", "vpn-shops")
                        ],
                    }
                ],
            }
        ]
    }
    by_policy = {"vpn-attachment": {"vpn-policy-id": "both"}, "service": None}
    controller.site(
        "nara", controller.access("", "nara-pe1 ge-0/0/0", **by_policy), **{"vpn-policies": policy}
    )
    stopped = {**started, "actual-site-stop": "2026-09-30T00:00:00+09:00"}
    controller.site("kobe", controller.access("vpn-old", "kobe-pe1 ge-0/0/1"), **stopped)
    return controller
