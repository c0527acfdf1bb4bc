"""What records of OpenStack's services have in common: names, projects, kinds."""

from collections.abc import Mapping
from typing import Any, Optional

from shared.providers.openstack.session import Scope
from shared.records.fields import field, needed


def name_of(record: Mapping[str, Any]) -> str:
    """The record's name, or else its id."""
    return field(record, "name", str) or needed(record, "id", str)


def project_of(record: Mapping[str, Any]) -> Optional[str]:
    """The project that a record belongs to (Neutron's older name for it is tenant)."""
    return field(record, "project_id", str) or field(record, "tenant_id", str)


def of_another_project(scope: Scope, record: Mapping[str, Any]) -> bool:
    """Whether the record belongs to a project that is not polled, and is not shared with this one."""
    if scope.all_projects or record.get("shared") or record.get("router:external"):
        return False
    return project_of(record) not in (None, scope.project_id)
