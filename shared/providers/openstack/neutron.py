"""Neutron: what it shows to whom, and what several families read of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.engine.errors import InsufficientPermission, UnexpectedResponse
from shared.providers.openstack.errors import NotFound
from shared.providers.openstack.listings import get, listed, offers
from shared.providers.openstack.records import of_another_project, project_of
from shared.providers.openstack.session import Scope
from shared.records.fields import needed, objects


def own(scope: Scope) -> dict[str, Any]:
    """Neutron's parameter for "of the polled project", without which an admin sees all projects."""
    return {} if scope.all_projects else {"tenant_id": scope.project_id}


def networks(scope: Scope) -> dict[str, dict[str, Any]]:
    """The networks that the networks family reports, by id: connections may name no others."""
    fields = ("id", "name", "project_id", "shared", "router:external")
    records = listed(scope, "network", "/networks", "networks", params={"fields": fields})
    return {
        network_id: network
        for network_id, network in records.items()
        if not of_another_project(scope, network)
    }


def extensions(scope: Scope) -> set[str]:
    """The aliases of Neutron's extensions (one call); empty where the region has no Neutron."""
    if not offers(scope, "network"):
        return set()
    answer = get(scope, "network", "/extensions")
    if answer.get("extensions") is None:
        raise UnexpectedResponse("the answer of network /extensions has no 'extensions'")
    return {needed(extension, "alias", str) for extension in objects(answer, "extensions")}


def require_network_permissions(scope: Scope, records: Iterable[Mapping[str, Any]]) -> None:
    """Raise InsufficientPermission where the login's role means nothing to Neutron.

    Neutron answers such a role with 200 and what everybody may see: shared and external networks. A
    private record of the project (with ``all_projects``: of another project) proves the permission.
    Without one, a request for what every project has proves it, a security group (with
    ``all_projects``: for what only an admin may list, the quotas).
    """
    for record in records:
        owner = project_of(record)
        public = record.get("shared") or record.get("router:external")
        if owner and not public and (owner != scope.project_id) == scope.all_projects:
            return
    roles = ", ".join(scope.session.access.role_names) or "none"
    try:
        if scope.all_projects:
            get(scope, "network", "/quotas")
            return
        query = {"tenant_id": scope.project_id, "fields": "id", "limit": 1}
        if objects(get(scope, "network", "/security-groups", query), "security_groups"):
            return
    except NotFound:
        return  # a cloud without this extension: no way to tell
    raise InsufficientPermission(
        f"network: role {roles} of the login does not let it see project {scope.session.project} "
        "(Neutron shows it not even the security group that each project has); role reader is needed"
    )
