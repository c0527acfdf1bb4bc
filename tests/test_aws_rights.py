"""The rights that the README names for AWS: all together are enough, and each is needed: without it the
poll fails and names it. On moto's server, which checks its users' policies.
"""

from importlib import import_module

import pytest

from shared.errors import InsufficientPermission
from tests.built import CELLS
from tests.fakes import moto_users
from tests.fakes.context import Context

RIGHTS = {
    family: import_module(f"modules.{family}.aws").PERMISSIONS
    for family, provider in CELLS
    if provider == "aws"
}
LACKING = [(family, right) for family, rights in RIGHTS.items() for right in rights]


def without(family, right):
    """The name of a user who has the family's rights, but for one."""
    return f"{family}-{right}".replace(":", ".")


@pytest.fixture(scope="module")
def users():
    rights = dict(RIGHTS)
    for family, right in LACKING:
        rights[without(family, right)] = [each for each in RIGHTS[family] if each != right]
    with moto_users.account(rights) as made:
        yield made


def poll(family, credentials):
    get = import_module(f"modules.{family}.main").get
    return get({"provider": "aws", "credentials": credentials}, Context())


@pytest.mark.parametrize("family", RIGHTS)
def test_the_rights_are_enough(users, family):
    assert poll(family, users[family])


@pytest.mark.parametrize("family, right", LACKING)
def test_a_right_that_is_missing_fails_the_poll_by_its_name(users, family, right):
    with pytest.raises(InsufficientPermission) as caught:
        poll(family, users[without(family, right)])
    assert str(caught.value).startswith(f"{moto_users.REGION}: ")
    assert f"may not {right} " in str(caught.value)


def test_a_service_that_is_denied_fails_its_own_family_only(users):
    """Without Direct Connect there are no circuits, and everything else."""
    denied = users[without("circuits", "directconnect:DescribeConnections")]
    with pytest.raises(InsufficientPermission, match="directconnect:DescribeConnections"):
        poll("circuits", denied)
    for family in ("appliances", "networks", "servers", "volumes"):
        assert poll(family, users[family])
