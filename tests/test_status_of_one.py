"""The status of one resource costs no listing of the whole account, of every cell that has a status.

Each resource is asked for alone: what is answered is its part of the whole, and neither the calls nor the records
that it takes are those of the whole, where the provider can filter. An id of nobody's, of another family or of
another account is an empty answer and no error.
"""

import importlib
import re

import pytest

from shared.engine.poll import load_cell
from shared.transport import http
from tests.built import CELLS
from tests.fakes import moto_polls
from tests.fakes import netbox as netboxes
from tests.fakes import openstack as openstacks
from tests.fakes.context import Context
from tools import demo_aws

REGION = "us-east-1"
WITH_STATUS = [
    (family, provider)
    for family, provider in CELLS
    if load_cell(f"modules.{family}.{provider}").status
]
# Cells without a filter, and why none helps.
WHOLE = {
    ("vca_status", "juju"): "one FullStatus tells of all of a model",
    ("vca_status", "osm"): "one list of NS records tells of all, and offers join them",
    ("wan_links", "ietf_l2vpn"): "a service's state is in all sites",
    ("wan_links", "osm"): "links are found and matched over all NS records",
    ("wan_links", "tapi"): "one list of services, which fold into pairs",
}
# Ids that nobody has, in the forms of all that is asked for.
NOBODYS = [
    "i-0123456789abcdef0",
    "vol-0123456789abcdef0",
    "nat-0123456789abcdef0",
    "eigw-0123456789abcdef0",
    "fs-0123456789abcdef0",
    "vpn-0123456789abcdef0",
    "tgw-attach-0123456789abcdef0",
    "dxcon-01234567",
    "arn:aws:elasticloadbalancing:us-east-1:999999999999:loadbalancer/app/theirs/0123456789abcdef",
    "arn:aws:network-firewall:us-east-1:999999999999:firewall/theirs",
    "mail-1.us-east-1.elb.amazonaws.com",
    "link-0123456789abcdef0",
    "attachment-0123456789abcdef0",
    "00000000-0000-4000-8000-000000000000",
    "../../v3/users",
    "tunnel:99999",
    "tunnel:x",
    "l2vpn:99999",
    "a name",
]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(http, "FIRST_DELAY_S", 0)


@pytest.fixture(scope="module")
def aws(moto_of_5_2):
    with moto_polls.added():
        server, url = demo_aws.serve()
        yield {
            "aws_access_key_id": demo_aws.KEY,
            "aws_secret_access_key": demo_aws.SECRET,
            "regions": REGION,
            "endpoint_url": url,
        }
        server.stop()


@pytest.fixture(scope="module")
def openstack():
    made = openstacks.Cloud()
    made.extensions |= {"fwaas_v2", "vpnaas"}
    made.also = {"load-balancer", "sharev2"}
    made.fill(servers=8, networks=1, volumes=8)
    made.lists["network", "routers"] = [openstacks.router(n) for n in range(4)]
    made.lists["network", "firewall_groups"] = [openstacks.firewall_group(0)]
    made.lists["load-balancer", "loadbalancers"] = [openstacks.load_balancer(n) for n in range(4)]
    made.lists["share", "shares"] = [openstacks.share(0)]
    made.lists["network", "ipsec_site_connections"] = [
        openstacks.site_connection(n) for n in range(4)
    ]
    yield made.credentials("member")
    made.stop()


@pytest.fixture(scope="module")
def netbox():
    made = netboxes.NetBox(netboxes.NEWEST)
    made.fill(links=6)
    yield made.credentials(netboxes.V1)
    made.stop()


@pytest.fixture
def poll(request):
    def status(family, provider, requested=None):
        """The points, the calls and the records that they took."""
        event = {"provider": provider, "credentials": request.getfixturevalue(provider)}
        if requested is not None:
            event["resources"] = requested
        context = Context()
        answer = importlib.import_module(f"modules.{family}.main").get_status(event, context)
        (line,) = context.logged("polled")
        numbers = {name: int(value) for name, value in re.findall(r"(calls|records)=(\d+)", line)}
        points = {each["resource_id"]: {**each, "time": None} for each in answer["status"]}
        return points, numbers["calls"], numbers["records"]

    return status


def test_every_cell_with_a_status_filters_or_says_why_not():
    for family, provider in WITH_STATUS:
        status = load_cell(f"modules.{family}.{provider}").status
        filters = status.fetch and (family, provider) not in WHOLE
        assert bool(filters) != ((family, provider) in WHOLE), (family, provider)
    assert set(WHOLE) <= set(WITH_STATUS)


FILTERING = [each for each in WITH_STATUS if each not in WHOLE]


@pytest.mark.parametrize("family, provider", FILTERING)
def test_one_resource(poll, family, provider):
    everything, calls, records = poll(family, provider)
    assert len(everything) > 1
    for name, point in everything.items():
        found, of_one, seen = poll(family, provider, [name])
        assert found == {name: point}
        assert seen < records, name
        assert of_one <= calls + 1, name  # EC2: which there are, before their status


@pytest.mark.parametrize("family, provider", FILTERING)
def test_several_resources(poll, family, provider):
    everything, _, _ = poll(family, provider)
    some = sorted(everything)[:: max(1, len(everything) // 3)]
    found, _, _ = poll(family, provider, [*some, *NOBODYS])
    assert found == {name: everything[name] for name in some}


@pytest.mark.parametrize("family, provider", FILTERING)
def test_nobodys_ids_are_an_empty_answer(poll, family, provider):
    for name in NOBODYS:
        found, _, _ = poll(family, provider, [name])
        assert found == {}
    assert poll(family, provider, NOBODYS)[0] == {}
    assert poll(family, provider, [])[0] == {}
