"""A listing whose marker or page token vanishes between two pages, in every listing of every cell.

Something is deleted while a poll runs, just the record that the next page is asked for by, and the listing
starts anew. What the poll then gives is what it gives where that record was never there: nothing doubled,
and nothing of it kept. (If it was read as a record, and not as a lookup, it may be in the answer once.)

The listings are found by running the cells; one that has no second page here fails its test.
"""

import copy
import importlib
import json

import botocore.exceptions
import freezegun
import pytest

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families
from shared.engine.poll import load_cell
from shared.providers import aws
from shared.transport import http
from tests.fakes import openstack as fakes
from tests.fakes.context import Context


@pytest.fixture(autouse=True)
def same_moment():
    """All polls are of the same time; deadlines go on."""
    left_alone = ["threading", "queue", "shared.engine.deadline"]
    with freezegun.freeze_time("2026-11-21T00:30:00", ignore=left_alone):
        yield


def handlers(provider):
    """The family and the handler of each cell of the provider that does more than say it has none."""
    for family, cells in sorted(families().items()):
        if provider not in cells:
            continue
        main = importlib.import_module(f"modules.{family}.main")
        for handler in load_cell(cells[provider]).permissions_by_handler:
            if hasattr(main, handler):
                yield family, handler


def plain(answer):
    """By type and id, without what differs from poll to poll; ``metrics`` and ``logs`` as texts."""
    if isinstance(answer, dict):
        (found,) = (value for name, value in answer.items() if name != "last_update")
    else:
        found = answer
    named = {}
    for each in copy.deepcopy(found):
        each.pop("time", None)  # of a status, or of what was measured
        each.get("base", {}).pop("last_seen_at", None)
        key = each.get("type") or each["resource_type"], each.get("id") or each["resource_id"]
        named.setdefault(key, []).append(json.dumps(each, sort_keys=True))
    return {key: sorted(texts) for key, texts in named.items()}


# --- OpenStack: markers -----------------------------------------------------------------------------

id_ = fakes.identifier
MANY = range(7)  # of each kind; the operator allows 3 a page
# How a listing answers to the marker that is gone (None: as the real service does), and how many of its
# markers are still there before that.
VANISHED = (("refused", 0), ("start", 1), (None, 1))


def everything(newest="2.104"):
    """A cloud with more than a page of each kind, and something that refers to each."""
    cloud = fakes.Cloud(newest).fill(servers=7, networks=7, volumes=14)
    cloud.max_limit = cloud.manila_limit = 3
    cloud.extensions |= {alias for _, alias in fakes.EXTENSIONS.values()} | {"l3_agent_scheduler"}
    cloud.also = {"load-balancer", "sharev2"}
    lists = cloud.lists
    lists["network", "subnets"] += [
        fakes.subnet(10 + n, network_id=id_("network", 0)) for n in MANY
    ]
    ports, servers = lists["network", "ports"], lists["compute", "servers"]
    for n in MANY:
        external = fakes.network(20 + n, fakes.OTHER, **{"router:external": True})
        lists["network", "networks"].append(external)
        lists["network", "floatingips"].append(
            {
                "id": id_("floating", n),
                "floating_ip_address": f"172.24.0.{n}",
                "floating_network_id": external["id"],
                "project_id": fakes.PROJECT,
            }
        )
        # one port more, of the same MAC address as the first
        mac = ports[n]["mac_address"]
        fixed = [{"subnet_id": id_("subnet", n), "ip_address": f"10.9.0.{n}"}]
        more = {"network_id": id_("network", 1 + n % 6), "mac_address": mac, "fixed_ips": fixed}
        ports.append(fakes.port(20 + n, device_id=id_("server", n), **more))
        addresses = [("fixed", f"10.0.0.{n}"), ("fixed", f"10.9.0.{n}")]
        addresses.append(("floating", f"172.24.0.{n}"))
        servers[n]["addresses"] = {
            "net-0": [
                {"addr": addr, "OS-EXT-IPS-MAC:mac_addr": mac, "OS-EXT-IPS:type": kind}
                for kind, addr in addresses
            ]
        }
        servers[n]["image"] = {"id": id_("image", n)}
        attached = {"id": id_("volume", n), "delete_on_termination": False}
        servers[n]["os-extended-volumes:volumes_attached"] = [attached]
        lists["network", "routers"].append(
            fakes.router(n, external_gateway_info={"network_id": external["id"]})
        )
        interface = {"binding:host_id": f"net{n}"}
        ports.append(fakes.interface(n, n, n, **interface))
        lists["network", "agents"].append(fakes.agent(n, alive=n % 2 == 0))
        behind = [id_("port", n), id_("interface", n)]
        lists["network", "firewall_groups"].append(fakes.firewall_group(n, ports=behind))
        _add_volumes(cloud, n)
        _add_balancers(cloud, n)
        share_network = {"share_network_id": id_("share network", n)}
        lists["share", "shares"].append(fakes.share(n, **share_network))
        lists["share", "share_networks"].append(fakes.share_network(n))
        _add_circuits(cloud, n)
        cloud.diagnostics[id_("server", n)] = fakes.diagnostics()
        steps = [("compute", "2026-11-21T00:10:00", "2026-11-21T00:10:01", "Success")]
        cloud.actions[id_("server", n)] = [
            fakes.action(f"act-{k}", f"req-{k}", f"2026-11-21T00:0{k}:00", steps) for k in range(5)
        ]
    lists["image", "images"] = [fakes.image(n) for n in MANY]
    lists["compute", "flavors"] = [{**fakes.FLAVOR, "id": f"f{n}"} for n in (1, *MANY[2:])]
    return cloud


def _add_volumes(cloud, n):
    volumes = cloud.lists["volume", "volumes"]
    volumes[n]["volume_type"] = f"type-{n}"
    volumes[n + 7]["status"] = "reserved"
    reserved = {
        "status": "reserved",
        "instance": id_("server", n),
        "volume_id": volumes[n + 7]["id"],
    }
    cloud.lists["volume", "attachments"].append({"id": id_("reserved", n), **reserved})
    specs = {"id": f"q{n}", "specs": {"total_iops_sec": f"{100 + n}"}}
    cloud.lists["volume", "qos_specs"].append(specs)
    kind = {"id": id_("type", n), "name": f"type-{n}", "qos_specs_id": f"q{n}"}
    cloud.lists["volume", "volume_types"].append(kind)


def _add_balancers(cloud, n):
    vips = [{"subnet_id": id_("subnet", n), "ip_address": "10.0.0.99"}]
    cloud.lists["load-balancer", "loadbalancers"].append(
        fakes.load_balancer(n, additional_vips=vips)
    )
    cloud.lists["load-balancer", "listeners"].append(fakes.listener(n, 0))
    members = [fakes.member(k, subnet_id=id_("subnet", 0)) for k in MANY] if n == 0 else []
    pool = fakes.pool(n, 0, members)
    cloud.lists["load-balancer", "pools"].append(pool)
    cloud.members[pool["id"]] = members


def _add_circuits(cloud, n):
    local = {"local_ep_group_id": id_("endpoint group", n), "vpnservice_id": id_("vpnservice", n)}
    lists = cloud.lists
    lists["network", "ipsec_site_connections"].append(fakes.site_connection(n, **local))
    lists["network", "vpnservices"].append(fakes.vpnservice(n, n))
    ends = fakes.endpoint_group(n, "subnet", [id_("subnet", n)])
    lists["network", "endpoint_groups"].append(ends)
    joined = {"networks": [id_("network", n)], "routers": [id_("router", n)]}
    joined["ports"] = [id_("port", n)]
    lists["network", "bgpvpns"].append(fakes.bgpvpn(n, **joined))
    lists["network", "l2_gateways"].append(fakes.l2_gateway(n))
    gateway = {"l2_gateway_id": id_("l2 gateway", n), "network_id": id_("network", n)}
    lists["network", "l2_gateway_connections"].append(fakes.l2_connection(n, **gateway))


def poll(cloud, family, handler):
    event = {
        "provider": "openstack",
        "credentials": cloud.credentials("admin"),
        "last_update": "2026-11-21T00:00:00Z",
        "poll_interval": 300,
    }
    main = importlib.import_module(f"modules.{family}.main")
    return plain(getattr(main, handler)(event, Context()))


def short(path):
    """A path as the simulator names it: without the service, its version and the project."""
    rest = path.split("/", 3)[3]
    return rest.replace(f"{fakes.PROJECT}/", "")


@pytest.fixture
def clouds(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)
    made = []

    def make(newest):
        made.append(everything(newest))
        return made[-1]

    yield make
    for each in made:
        each.stop()


OPENSTACK = [(*each, "2.104") for each in handlers("openstack")]
OPENSTACK += [("servers", "get", "2.1"), ("servers", "get_metrics", "2.1")]  # flavors are listed


@pytest.mark.parametrize("family, handler, newest", OPENSTACK)
def test_openstack(clouds, family, handler, newest):
    cloud = clouds(newest)
    poll(cloud, family, handler)
    listed = {short(path) for path, query in cloud.queries if "limit" in query}
    paged = {short(path) for path, query in cloud.queries if "marker" in query or _offset(query)}
    # what is done to a server stays on record as long as the server
    paged = {path for path in paged if not path.endswith("os-instance-actions")}
    only = {path for path in listed if not path.endswith("os-instance-actions")}
    assert only <= paged
    assert paged
    for path in sorted(paged):
        for answers, left in VANISHED:
            _vanish(clouds(newest), clouds(newest), family, handler, path, answers, left)


def _offset(query):
    return query.get("offset", ["0"]) != ["0"]


def _vanish(cloud, without, family, handler, path, answers, left):
    before = {each["id"] for of in _lists(cloud) for each in of}
    cloud.gone_marker = answers
    if path.startswith("share"):
        cloud.before_page[path] = lambda records: records.pop(left)
    else:
        cloud.delete_marker[path], cloud.markers_left[path] = 1, left
    found = poll(cloud, family, handler)
    gone = before - {each["id"] for of in _lists(cloud) for each in of}
    assert len(gone) == 1, f"{path}: nothing was deleted after page {left + 1}"
    for of in _lists(without):
        of[:] = [each for each in of if each["id"] not in gone]
    expected = poll(without, family, handler)
    for answer in (found, expected):  # as a record, it may have been read before
        for key in [key for key in answer if key[1] in gone]:
            assert len(answer[key]) == 1
            del answer[key]
    assert found == expected, f"{path}, {answers}, after page {left + 1}"


def _lists(cloud):
    return [*cloud.lists.values(), *cloud.members.values()]


# --- AWS: page tokens -------------------------------------------------------------------------------

# Listings whose items decide what is asked for in one call with them: with an item less, the cassette has
# no answer to it. There the token vanishes, but nothing is deleted.
ALL_STAY = {("elbv2", "describe_load_balancers")}
# And a listing of records, each page of which decides that.
BY_PAGE = {("servers", "describe_instances")}


class Listings:
    """botocore's clients as the cassette answers them, but for one listing that changes.

    It lacks its first item (or as many as ``gone``). Where it is ``moving``, it had that when its first
    page was asked for, and the token of the second page is refused. ``seen`` holds the answers to what
    pages, by what was asked for.
    """

    def __init__(self, changed=None, gone=1, moving=False):
        self.changed, self.gone, self.moving = changed, gone, moving
        self.keys, self.seen, self.vanished = {}, {}, False

    def client(self, real):
        return Client(self, real)

    def noted(self, answers):
        def note(scope, service, operation, key, **asked):
            self.keys[service, operation] = key
            return answers(scope, service, operation, key, **asked)

        return note

    def call(self, real, operation, asked):
        names = [
            name for name in aws.paging.TOKENS if name in aws.paging.parameters(real, operation)
        ]
        token = asked.pop(names[0], None) if names else None
        shown = json.dumps(asked, sort_keys=True, default=str)
        kind = real.meta.service_model.service_name, operation
        listing = (*kind, real.meta.region_name, shown)
        key = self.keys.get(kind)
        if not names or not key:
            return getattr(real, operation)(**asked)
        if listing not in self.seen:
            self.seen[listing] = getattr(real, operation)(**asked)
        answer = dict(self.seen[listing])
        if listing != self.changed:
            return answer
        left, more = answer[key][self.gone :], {aws.paging.TOKENS[names[0]]: "next"}
        if not self.moving:
            return {**answer, key: left}
        if self.vanished:
            return {**answer, key: left[1:]} if token else {**answer, key: left[:1], **more}
        if not token:
            return {**answer, key: answer[key][:1], **more}
        self.vanished = True
        refused = {"Error": {"Code": "InvalidNextToken", "Message": "old"}}
        raise botocore.exceptions.ClientError(refused, operation)


class Client:
    def __init__(self, listings, real):
        self._listings, self._real = listings, real

    def __getattr__(self, name):
        if name in self._real.meta.method_to_api_mapping:
            return lambda **asked: self._listings.call(self._real, name, asked)
        return getattr(self._real, name)


def replayed(family, listings):
    client = aws.Session.client
    event = accounts.load()["demo-aws"].event()
    get = importlib.import_module(f"modules.{family}.main").get
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws.paging, "answers", listings.noted(aws.answers))
        patch.setattr(
            aws.Session, "client", lambda self, *names: listings.client(client(self, *names))
        )
        with cassettes.replay(cassettes.path(family, "aws")):
            return plain(get(event, Context(**cassettes.CONFIG)))


@pytest.mark.parametrize(
    "family", [family for family, handler in handlers("aws") if handler == "get"]
)
def test_aws(family, no_network):
    whole = Listings()
    replayed(family, whole)
    tried = set()
    for listing, answer in whole.seen.items():
        kind = listing[:2]
        items = answer[whole.keys[kind]]
        if kind in tried or len(items) < 2 or (family, kind[1]) in BY_PAGE:
            continue
        tried.add(kind)
        gone = 0 if kind in ALL_STAY else 1
        moving = Listings(listing, gone, moving=True)
        found, expected = replayed(family, moving), replayed(family, Listings(listing, gone))
        assert moving.vanished
        first = json.dumps(items[0], default=str)
        for name in set(found) - set(expected):  # as a record, it was read before
            assert name[1] in first
            del found[name]
        assert found == expected, kind
    assert tried
