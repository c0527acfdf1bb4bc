"""The WAN links of OSM's demo account: invented services in the simulator, for ``tools.record osm``.

They show what each generation of OSM keeps of a link, side by side: NG-RO's NS records, the instances of
classic RO, and the actions of releases FIVE and SIX. No real OSM has all three.
"""

from tests.fakes import osm as fakes
from tests.fakes.openmano import Services


def fill(osm: fakes.Osm, project: str) -> None:
    services = Services(osm, project)
    _ng(services)
    _classic(services)


def _ng(services: Services) -> None:
    for site in ("fukuoka", "nagoya", "sapporo"):
        services.site(site)
    north = {"nagoya": [("edge-n1", "xe-0/0/1")], "sapporo": [("edge-s1", "xe-0/0/3")]}
    services.wim("wan-north", **north)
    services.wim("wan-south", fukuoka=[("edge-f1", "1/1/4")])
    services.wim("wan-all", **north, fukuoka=[("edge-f1", "1/1/7"), ("edge-f2", "1/1/7")])
    services.wim("wan-new", state="ERROR", detail="401 from 192.0.2.10: bad credentials")
    retail = services.service("retail")
    ports = [
        {"device_id": "nagoya", "switch_id": "edge-n1", "switch_port": "xe-0/0/1", "vlan": 120},
        {"device_id": "sapporo", "switch_id": "edge-s1", "switch_port": "xe-0/0/3", "vlan": 120},
    ]
    services.vld(retail, "data", "nagoya", "sapporo", wims={"wan-north": {"sdn-ports": ports}})
    services.vld(retail, "mgmt", "nagoya", "sapporo", **{"mgmt-network": True})
    services.vld(retail, "video", "fukuoka", "sapporo")
    services.vld(retail, "local", "nagoya")
    campus = services.service("campus")
    services.vld(campus, "lan", "fukuoka", "nagoya", "sapporo", wims={"wan-all": {}})
    nothing = {"vim_id": None, "vim_message": None}
    services.vld(campus, "guests", "nagoya", "sapporo", wims={"wan-north": nothing})
    lost = {"vim_status": "VIM_ERROR", "vim_message": "controller at 192.0.2.10 unreachable"}
    services.vld(campus, "voice", "nagoya", "sapporo", wims={"wan-north": lost})
    gone = {"vim_status": "DELETED", "vim_id": None}
    services.vld(campus, "old", "nagoya", wims={"wan-north": gone})


def _classic(services: Services) -> None:
    for site in ("kobe", "kyoto", "nara"):
        services.site(site, ro=True)
    services.wim("wan-ro", ro=True, kobe=[("sw-kobe", "p1")], kyoto=[("sw-kyoto", "p4")])
    legacy = services.service("legacy")
    vlds = ("access", "core", "edge", "metro")
    services.instance(
        legacy,
        *((vld, site) for vld in vlds for site in ("kobe", "kyoto")),
        ("wide", "kobe"),
        ("wide", "nara"),
        links=[
            # the old message stays beside the new word
            ("access", "wan-ro", {"error_msg": "controller unreachable"}),
            ("core", "wan-ro", {"status": "DOWN", "error_msg": "port 7 down"}),
            ("edge", "wan-ro", {"status": "BUILD", "wim_internal_id": None, "wim_info": None}),
            ("metro", "wan-ro", {"status": "INACTIVE"}),
            ("inside", "wan-ro", {"sdn": "true"}),
        ],
    )
    oldest = services.service("oldest", nsState=None, currentOperation=None)
    oldest["_admin"]["nsState"] = "INSTANTIATED"
    instance = services.instance(oldest, ("data", "kobe"), ("data", "kyoto"), old=True)
    services.action(instance, ("oldest-data", "wan-ro", {}))
