"""NS records, taken apart: a record for each application, unit and execution environment.

Such a record has ``type_id``, ``id`` and ``name``, the fields of its NS ("ns") and its execution environments
("entries"). An application or unit has its extract of the full status ("status"), or if there is none, "gone":
whether Juju no longer knows it. "related" are the ids of what it connects to.
"""

import collections
import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from modules.vca_status.osm import environments
from modules.vca_status.osm.environments import Environment
from shared import vca
from shared.engine import clock
from shared.engine.errors import Absent
from shared.engine.log import Log
from shared.providers import osm
from shared.records.fields import field, needed
from shared.vca import Status

APPLICATION, UNIT, ENVIRONMENT = "vca_application", "vca_unit", "vca_execution_environment"
MOST_LOGGED = 5  # messages about unreadable parts of full statuses
CONFIGURING = ("CREATING", "REGISTERING", "INSTALLING SW", "TERMINATING", "DELETED")
# Fields of an NS record, and their names in metadata.
NS_FIELDS = {
    "_id": "ns_id",
    "name": "ns_name",
    "nsd-name-ref": "nsd_name",
    "nsState": "ns_state",
    "currentOperation": "ns_operation",
    "operational-status": "ns_operational_status",
    "config-status": "ns_config_status",
    "errorDescription": "ns_error",
}


@dataclasses.dataclass(frozen=True)
class Lookups:
    now: datetime.datetime
    vca_of_vim: Mapping[str, str]  # ids of accounts
    user_of_vca: Mapping[str, str]


def look_up(scope: osm.Scope) -> Lookups:
    accounts = {needed(vim, "_id", str): field(vim, "vca", str) for vim in osm.listed(scope, "vim")}
    vca_of_vim = {vim: account for vim, account in accounts.items() if account}
    users = {}
    if vca_of_vim:
        try:
            vcas = osm.listed(scope, "vca")
        except Absent:
            vcas = []
        users = {needed(account, "_id", str): needed(account, "user", str) for account in vcas}
    return Lookups(clock.now(), vca_of_vim, users)


# --- full statuses --------------------------------------------------------------------------------


def models(ns: dict[str, Any], lookups: Lookups) -> dict[str, vca.Model]:
    """The models in the full statuses of an NS, by their names with owners.

    Release 7.1 stores one full status, 8.0 one for each model, the main line one of the VNFs and what it has of
    KNFs beside it.
    """
    owner = _owner(ns, {}, lookups)
    read = {key: vca.read_model(status) for key, status in _full_statuses(ns).items()}
    return {
        f"{owner}/{model.name or vca.model_name(key)}": model for key, model in sorted(read.items())
    }


def _full_statuses(ns: dict[str, Any]) -> dict[str, Any]:
    ns_id = needed(ns, "_id", str)
    stored = field(ns, "vcaStatus", dict) or {}
    if _is_full_status(stored):
        return {ns_id: stored}
    statuses: dict[str, Any] = {}
    for key, value in stored.items():
        if isinstance(value, dict) and isinstance(value.get("VNF"), dict):
            value = value["VNF"]
        if _is_full_status(value):
            statuses[key] = value
    return statuses


def _is_full_status(value: Any) -> bool:
    return isinstance(value, dict) and ("applications" in value or "machines" in value)


def log_unreadable(services: Iterable[dict[str, Any]], log: Log) -> None:
    """Log which parts of the full statuses are left out: OSM adds things of its own to these dumps."""
    messages = [
        f"NS {ns['_id']}: {message}"
        for ns in services
        for status in _full_statuses(ns).values()
        for message in vca.unreadable(status)
    ]
    if messages:
        log.info(
            "left out of vcaStatus", count=len(messages), first="; ".join(messages[:MOST_LOGGED])
        )


def offered_ids(all_models: Iterable[Mapping[str, vca.Model]]) -> dict[str, str]:
    """The ids of the applications that these models offer, by the offers' URLs."""
    return {
        f"{name}.{offer.name}": vca.application_id(name, offer.application)
        for by_name in all_models
        for name, model in by_name.items()
        for offer in model.offers.values()
        if offer.application and offer.application in model.applications
    }


def _owner(ns: dict[str, Any], entry: dict[str, Any], lookups: Lookups) -> str:
    """The owner of the model that an entry's charm is in, or with no entry, of the models of the NS."""
    account = field(entry, "vca_id", str)
    if not account:
        params = field(ns, "instantiate_params", dict) or {}
        vim = field(ns, "datacenter", str) or field(params, "vimAccountId", str)
        account = lookups.vca_of_vim.get(vim or "")
    user = lookups.user_of_vca.get(account or "", vca.OWNER)
    return user[: -len("@local")] if user.endswith("@local") else user


# --- records --------------------------------------------------------------------------------------


def of_ns(
    ns: dict[str, Any],
    models: Mapping[str, vca.Model],
    offered: Mapping[str, str],
    lookups: Lookups,
) -> Iterator[dict[str, Any]]:
    """The records of an NS. ``offered``: see ``offered_ids``."""
    ns_fields = {name: field(ns, name, str) for name in NS_FIELDS}
    by_application, by_id = _grouped(ns, models, lookups)
    for name, model in models.items():
        of_model = {
            application: group for (of, application), group in by_application.items() if of == name
        }
        for record in _applications(name, model, of_model, offered):
            yield {**record, "ns": ns_fields}
        for record in _units(name, model, of_model):
            yield {**record, "ns": ns_fields}
    for (name, application), group in by_application.items():
        if name not in models or application not in models[name].applications:
            yield {
                "type_id": APPLICATION,
                "id": vca.application_id(name, application),
                "name": application,
                "model": name,
                "ns": ns_fields,
                "entries": _entries(group),
                "gone": all(_is_gone(one, models.values()) for one in group),
            }
    for id_, group in by_id.items():
        yield {
            "type_id": ENVIRONMENT,
            "id": id_,
            "name": group[0].name,
            "ns": ns_fields,
            "entries": _entries(group),
        }


Group = list[Environment]


def _grouped(
    ns: dict[str, Any], models: Mapping[str, vca.Model], lookups: Lookups
) -> tuple[dict[tuple[str, str], Group], dict[str, Group]]:
    """The environments of an NS by model and application; those without an application by their ids."""
    by_application: dict[tuple[str, str], Group] = {}
    by_id: dict[str, Group] = {}
    for environment in environments.of_ns(ns):
        entry, application = environment.entry, environment.application
        if not application:
            element = field(entry, "target_element", str) or environment.target.target_element
            parts = (ns["_id"], element, field(entry, "ee_descriptor_id", str))
            by_id.setdefault("/".join(filter(None, parts)), []).append(environment)
            continue
        short_name = environment.ee_id.model or field(entry, "model", str)
        name = f"{_owner(ns, entry, lookups)}/{short_name or vca.model_name(ns['_id'])}"
        if name not in models:  # a full status may have another id as its key and name
            others = [other for other, model in models.items() if application in model.applications]
            name = others[0] if len(others) == 1 else name
        by_application.setdefault((name, application), []).append(environment)
    return by_application, by_id


def _applications(
    name: str, model: vca.Model, groups: Mapping[str, Group], offered: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    model_status = {"model": {"model-status": _as_in_full_status(model.status)}}
    for application in model.applications.values():
        extract = vca.application_extract(model, application)
        yield {
            "type_id": APPLICATION,
            "id": vca.application_id(name, application.name),
            "name": application.name,
            "model": name,
            "entries": _entries(groups.get(application.name, [])),
            "status": {**extract, **_timestamp(model), **model_status},
            "related": _related_to_application(name, model, application, offered),
        }


def _units(name: str, model: vca.Model, groups: Mapping[str, Group]) -> Iterator[dict[str, Any]]:
    machines, units = vca.all_machines(model), vca.all_units(model)
    counts = collections.Counter(unit.application for unit in units)
    for unit in units:
        group = groups.get(unit.application, [])
        if counts[unit.application] > 1:  # else all are the only unit's
            group = [one for one in group if unit.machine and one.machine == unit.machine]
        yield {
            "type_id": UNIT,
            "id": vca.unit_id(name, unit.name),
            "name": unit.name,
            "model": name,
            "entries": _entries(group),
            "status": {**vca.unit_extract(unit, machines), **_timestamp(model)},
            "related": _related_to_unit(name, model, unit),
        }


def _entries(group: Group) -> list[dict[str, Any]]:
    return [environment.record() for environment in group]


def _timestamp(model: vca.Model) -> dict[str, Any]:
    return {"controller-timestamp": model.moment and model.moment.isoformat()}


def _as_in_full_status(status: Status) -> dict[str, Any]:
    since = status.since and status.since.isoformat()
    return {"status": status.value, "info": status.message, "since": since}


def _related_to_application(
    name: str, model: vca.Model, application: vca.Application, offered: Mapping[str, str]
) -> list[str]:
    """The ids of related applications: in the same model, or offered by another one."""
    ids = {
        vca.application_id(name, other)
        for other in vca.related_applications(model, application.name)
    }
    for remote in vca.remote_applications_of(model, application):
        # a URL that begins with a controller's name is not in ``offered``: it is of another controller
        ids.update(filter(None, [offered.get(remote.url or "")]))
    return sorted(ids)


def _related_to_unit(name: str, model: vca.Model, unit: vca.Unit) -> list[str]:
    """The ids of the unit's application and of its principal."""
    ids = [vca.unit_id(name, unit.principal)] if unit.principal else []
    if unit.application in model.applications:
        ids.append(vca.application_id(name, unit.application))
    return sorted(ids)


def _is_gone(environment: Environment, models: Iterable[vca.Model]) -> bool:
    """Whether Juju no longer knew the application when a full status was taken after the last event."""
    if field(environment.configuration, "status", str) in CONFIGURING:
        return False
    event = environment.last_event
    since: Optional[datetime.datetime] = event.status.since if event else None
    return any(
        model.applications and (since is None or model.moment is None or since <= model.moment)
        for model in models
    )
