"""OpenStack: what cells and the engine use of this package.

- ``session``: credentials, login, scopes
- ``listings``: one request, and listings page by page
- ``errors``: what an error of a service means
- ``records``: what records of all services have in common
- ``neutron``: what Neutron shows to whom
- ``findings``: how a status is put together

``gnocchi``, ``server_actions`` and ``server_diagnostics`` are imported by the servers cell alone.
"""

from shared.engine.contracts import Provider
from shared.providers.openstack.errors import (
    BadRequest,
    Conflict,
    NotAcceptable,
    NotFound,
    NotImplementedByService,
    ServiceFailed,
    classify,
)
from shared.providers.openstack.findings import (
    Finding,
    finding,
    point,
    unless_switched_off,
)
from shared.providers.openstack.listings import (
    NOVA_NEWEST,
    RESTARTS,
    few,
    get,
    listed,
    nova_microversion,
    offers,
    offset_pages,
    one_by_one,
    pages,
    post,
)
from shared.providers.openstack.neutron import (
    extensions,
    networks,
    own,
    require_network_permissions,
)
from shared.providers.openstack.records import (
    GIB,
    KIND,
    MIB,
    by_id,
    in_bytes,
    kind_of,
    name_of,
    of_another_project,
    of_kind,
    only,
    project_of,
    reported,
    tags,
)
from shared.providers.openstack.session import (
    CREDENTIAL_KEYS,
    Credentials,
    Scope,
    Session,
    account,
    credentials,
    least_permissions,
    login,
    note,
    scopes,
)

__all__ = [
    "PROVIDER",
    "CREDENTIAL_KEYS",
    "BadRequest",
    "Conflict",
    "Credentials",
    "Finding",
    "GIB",
    "KIND",
    "MIB",
    "NOVA_NEWEST",
    "NotAcceptable",
    "NotFound",
    "NotImplementedByService",
    "RESTARTS",
    "Scope",
    "ServiceFailed",
    "Session",
    "account",
    "by_id",
    "classify",
    "credentials",
    "extensions",
    "few",
    "finding",
    "get",
    "in_bytes",
    "kind_of",
    "least_permissions",
    "listed",
    "login",
    "name_of",
    "networks",
    "note",
    "nova_microversion",
    "of_another_project",
    "of_kind",
    "offers",
    "offset_pages",
    "one_by_one",
    "only",
    "own",
    "pages",
    "point",
    "post",
    "project_of",
    "reported",
    "require_network_permissions",
    "scopes",
    "tags",
    "unless_switched_off",
]

PROVIDER = Provider(
    credential_keys=CREDENTIAL_KEYS,
    credentials=credentials,
    login=login,
    scopes=scopes,
    account=account,
    classify=classify,
    least_permissions=least_permissions,
)
