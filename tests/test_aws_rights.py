"""The rights that the README names for AWS, of each handler: all together are enough, and each is needed:
without it the poll fails and names it. On moto's server, which checks its users' policies.
"""

from importlib import import_module

import pytest

from shared.engine.errors import InsufficientPermission
from shared.engine.poll import load_cell
from tests.built import CELLS
from tests.fakes import moto_users
from tests.fakes.context import Context

RIGHTS = {
    (family, handler): needed
    for family, provider in CELLS
    if provider == "aws"
    for handler, needed in load_cell(f"modules.{family}.aws").permissions_by_handler.items()
    if needed
}
LACKING = [(*of, right) for of, needed in RIGHTS.items() for right in needed]


def user(family, handler, right=""):
    """The name of a user who has what the handler needs, but for one right."""
    return f"{family}-{handler}-{right}".replace(":", ".")


@pytest.fixture(scope="module")
def users(moto_of_5_2):
    known = {user(*of): needed for of, needed in RIGHTS.items()}
    for family, handler, right in LACKING:
        less = [each for each in RIGHTS[family, handler] if each != right]
        known[user(family, handler, right)] = less
    with moto_users.account(known) as made:
        yield made


def poll(family, handler, credentials):
    call = getattr(import_module(f"modules.{family}.main"), handler)
    event = {"provider": "aws", "credentials": credentials, "poll_interval": 600}
    answer = call(event, Context())
    if handler == "get_status":  # of some, other operations may be needed
        call({**event, "resources": ["i-0123456789abcdef0", "vol-0123456789abcdef0"]}, Context())
    return answer


@pytest.mark.parametrize("family, handler", RIGHTS)
def test_the_rights_are_enough(users, family, handler):
    assert poll(family, handler, users[user(family, handler)])


@pytest.mark.parametrize("family, handler, right", LACKING)
def test_a_right_that_is_missing_fails_the_poll_by_its_name(users, family, handler, right):
    with pytest.raises(InsufficientPermission) as caught:
        poll(family, handler, users[user(family, handler, right)])
    where = "login" if right == "ec2:DescribeRegions" else moto_users.REGION
    assert str(caught.value).startswith(f"{where}: ")
    assert f"may not {right} " in str(caught.value)


def test_a_service_that_is_denied_fails_its_own_family_only(users):
    """Without Direct Connect there are no circuits, and everything else."""
    denied = users[user("circuits", "get", "directconnect:DescribeConnections")]
    with pytest.raises(InsufficientPermission, match="directconnect:DescribeConnections"):
        poll("circuits", "get", denied)
    for family in ("appliances", "networks", "servers", "volumes"):
        assert poll(family, "get", users[user(family, "get")])
