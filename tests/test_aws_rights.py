"""The permissions that each handler of AWS's cells declares: all together are enough, and each of them is needed.

Without it the poll fails and names it. On moto's server, which checks its users' policies.
"""

from importlib import import_module

import pytest

from shared.engine.errors import InsufficientPermission
from shared.engine.poll import load_cell
from tests.built import CELLS
from tests.fakes import moto_users
from tests.fakes.context import Context

PERMISSIONS = {
    (family, handler): needed
    for family, provider in CELLS
    if provider == "aws"
    for handler, needed in load_cell(f"modules.{family}.aws").permissions_by_handler.items()
    if needed
}
MISSING = [(*of, permission) for of, needed in PERMISSIONS.items() for permission in needed]


def user(family, handler, missing=""):
    """The name of a user who has what the handler needs, except for one permission."""
    return f"{family}-{handler}-{missing}".replace(":", ".")


@pytest.fixture(scope="module")
def users(moto_of_5_2):
    known = {user(*of): needed for of, needed in PERMISSIONS.items()}
    for family, handler, missing in MISSING:
        others = [name for name in PERMISSIONS[family, handler] if name != missing]
        known[user(family, handler, missing)] = others
    with moto_users.account(known) as credentials:
        yield credentials


def poll(family, handler, credentials):
    call = getattr(import_module(f"modules.{family}.main"), handler)
    event = {"provider": "aws", "credentials": credentials, "poll_interval": 600}
    answer = call(event, Context())
    if handler == "get_status":  # of some, other operations may be needed
        call({**event, "resources": ["i-0123456789abcdef0", "vol-0123456789abcdef0"]}, Context())
    return answer


@pytest.mark.parametrize("family, handler", PERMISSIONS)
def test_the_declared_permissions_are_enough(users, family, handler):
    assert poll(family, handler, users[user(family, handler)])


@pytest.mark.parametrize("family, handler, missing", MISSING)
def test_the_error_names_the_missing_permission(users, family, handler, missing):
    with pytest.raises(InsufficientPermission) as caught:
        poll(family, handler, users[user(family, handler, missing)])
    where = "login" if missing == "ec2:DescribeRegions" else moto_users.REGION
    assert str(caught.value).startswith(f"{where}: ")
    assert f"may not {missing} " in str(caught.value)


def test_a_service_that_is_denied_fails_its_own_family_only(users):
    """Without Direct Connect there are no circuits, and everything else."""
    denied = users[user("circuits", "get", "directconnect:DescribeConnections")]
    with pytest.raises(InsufficientPermission, match="directconnect:DescribeConnections"):
        poll("circuits", "get", denied)
    for family in ("appliances", "networks", "servers", "volumes"):
        assert poll(family, "get", users[user(family, "get")])
