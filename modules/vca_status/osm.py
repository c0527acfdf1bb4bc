"""VCA status as OSM keeps it: the applications, units and execution environments of its NS instances.

API: GET /nslcm/v1/ns_instances, one answer with all (no paging), /admin/v1/vim_accounts, and where a VIM
names one, /admin/v1/vca. Nothing is refreshed: that is a GET which writes the record and queues a job.
https://osm.etsi.org/docs/user-guide/latest/12-osm-nbi.html

An NS record has two memories of Juju. ``_admin.deployed.VCA`` has an entry for each execution environment
(EE), whose status is that of Juju's last event of any kind; ``vcaStatus`` is a full status, taken when
somebody looked at the NS. What is newer counts: an entry's word replaces that of the application, and of the
unit on the EE's machine, if it is younger than the full status. OSM's own ``status`` knows no failure
in 7.0, and ``nsState`` none after day 1: both are shown, and recomputed from Juju's word and its kind. An
action's word never tells how the unit is.

The ids are those of Juju's own view. A model's owner is the user of the VCA account that the VIM names,
or admin. Helm charts, and charms that are not there yet, have no application: they are execution
environments. What ``vcaStatus`` holds of KNFs has no known form and is left alone; charms' configs,
and parameters of instances, may hold secrets, and are not looked at.
"""

import collections
import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from nflex_connector_utils import Connections, ServiceOffering

from shared import vca
from shared.engine import clock
from shared.engine.errors import Absent, UnexpectedResponse, about
from shared.providers import osm
from shared.records.fields import field, items, needed, objects, plain
from shared.records.metadata import metadata
from shared.records.status import Point
from shared.vca import Observation, Status

PERMISSIONS = ("ns_instances:get", "vca:get", "vim_accounts:get")
CALLS = "1 /ns_instances + 1 /vim_accounts; where a VIM names its VCA: + 1 /vca"

APPLICATION, UNIT, ENVIRONMENT = "vca_application", "vca_unit", "vca_execution_environment"
MOST_TOLD = 5  # parts of full statuses that are left out, in the log
OLD = datetime.timedelta(minutes=30)  # a full status that a status poll calls old
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
ENTRY_FIELDS = (
    "ee_id",
    "type",
    "charm_name",
    "ee_descriptor_id",
    "member-vnf-index",
    "vdu_id",
    "vdu_name",
    "kdu_name",
    "vnfd_id",
    "step",
    "status",
    "VCA-status",
    "detailed-status",
    "entity-type",
    "status-time",
)


@dataclasses.dataclass(frozen=True)
class Lookups:
    now: datetime.datetime
    vca_of_vim: Mapping[str, str]  # ids
    user_of_vca: Mapping[str, str]


def lookups(scope: osm.Scope) -> Lookups:
    named = {needed(vim, "_id", str): field(vim, "vca", str) for vim in osm.listed(scope, "vim")}
    vca_of_vim = {vim: account for vim, account in named.items() if account}
    users = {}
    if vca_of_vim:
        try:
            accounts = osm.listed(scope, "vca")
        except Absent:
            accounts = []
        users = {needed(each, "_id", str): needed(each, "user", str) for each in accounts}
    now = clock.now()
    return Lookups(now, vca_of_vim, users)


def fetch(scope: osm.Scope, lookups: Lookups) -> Iterator[list[dict[str, Any]]]:
    """A page an NS: a record for each of its applications, units and execution environments."""
    found = osm.listed(scope, "ns")
    osm.log_out(scope)
    taken = []
    for ns in found:
        with about(f"NS {ns.get('_id')}"):
            taken.append((ns, _models(ns, lookups)))
    _log_what_is_not_read(found, scope.session.log)
    offered = {
        f"{model}.{offer.name}": vca.application_id(model, offer.application)
        for _, models in taken
        for model, read in models.items()
        for offer in read.offers.values()
        if offer.application and offer.application in read.applications
    }
    for ns, models in taken:
        with about(f"NS {ns.get('_id')}"):
            page = list(_records(ns, models, offered, lookups))
        yield page


# --- an NS, taken apart ---------------------------------------------------------------------------


def _models(ns: dict[str, Any], lookups: Lookups) -> dict[str, vca.Model]:
    """The full statuses in an NS, by the models' names with their owners.

    7.1 has one, 8.0 one a model, the main line one of the VNFs and beside it what there is of KNFs.
    """
    owner = _owner(ns, {}, lookups)
    read = {key: vca.read_model(status) for key, status in _full_statuses(ns).items()}
    return {
        f"{owner}/{model.name or vca.model_name(key)}": model for key, model in sorted(read.items())
    }


def _full_statuses(ns: dict[str, Any]) -> dict[str, Any]:
    ns_id = needed(ns, "_id", str)
    kept = field(ns, "vcaStatus", dict) or {}
    found: dict[str, Any] = {}
    if _is_full_status(kept):
        found[ns_id] = kept
    else:
        for key, value in kept.items():
            if isinstance(value, dict) and isinstance(value.get("VNF"), dict):
                value = value["VNF"]
            if _is_full_status(value):
                found[key] = value
    return found


def _log_what_is_not_read(found: Iterable[dict[str, Any]], log: Any) -> None:
    """A word of what is left out of the full statuses, which are dumps: OSM puts things of its own there."""
    left_out = [
        f"NS {ns['_id']}: {each}"
        for ns in found
        for status in _full_statuses(ns).values()
        for each in vca.unreadable(status)
    ]
    if left_out:
        log.info(
            "left out of vcaStatus", count=len(left_out), first="; ".join(left_out[:MOST_TOLD])
        )


def _is_full_status(value: Any) -> bool:
    return isinstance(value, dict) and ("applications" in value or "machines" in value)


def _owner(ns: dict[str, Any], entry: dict[str, Any], lookups: Lookups) -> str:
    account = field(entry, "vca_id", str)
    if not account:
        asked = field(ns, "instantiate_params", dict) or {}
        vim = field(ns, "datacenter", str) or field(asked, "vimAccountId", str)
        account = lookups.vca_of_vim.get(vim or "")
    user = lookups.user_of_vca.get(account or "", vca.OWNER)
    return user[: -len("@local")] if user.endswith("@local") else user


def _entries(ns: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of ``_admin.deployed.VCA`` with their configurationStatus; both lists have holes."""
    admin = field(ns, "_admin", dict) or {}
    deployed = _with_holes(field(admin, "deployed", dict) or {}, "VCA")
    configured = _with_holes(ns, "configurationStatus")
    configured += [{}] * (len(deployed) - len(configured))  # for a moment one may be longer
    return [
        {"entry": entry, "configuration": status}
        for entry, status in zip(deployed, configured)
        if entry
    ]


def _with_holes(record: dict[str, Any], name: str) -> list[dict[str, Any]]:
    filled = [{} if each is None else each for each in field(record, name, list) or []]
    return objects({name: filled}, name)


def _records(
    ns: dict[str, Any],
    models: Mapping[str, vca.Model],
    offered: Mapping[str, str],
    lookups: Lookups,
) -> Iterator[dict[str, Any]]:
    about = {name: field(ns, name, str) for name in NS_FIELDS}
    of_application, of_none = _by_application(ns, models, lookups)
    for model, read in models.items():
        machines, counts = vca.all_machines(read), _units_of_each(read)
        moment = {"controller-timestamp": read.moment and read.moment.isoformat()}
        state = {"model": {"model-status": _plain(read.status)}}
        for name, application in read.applications.items():
            yield {
                "type_id": APPLICATION,
                "id": vca.application_id(model, name),
                "name": name,
                "model": model,
                "ns": about,
                "entries": of_application.get((model, name), []),
                "status": {**vca.application_extract(read, application), **moment, **state},
                "related": _related(model, read, application, offered),
            }
        for unit in vca.all_units(read):
            entries = of_application.get((model, unit.application), [])
            yield {
                "type_id": UNIT,
                "id": vca.unit_id(model, unit.name),
                "name": unit.name,
                "model": model,
                "ns": about,
                "entries": _of_unit(entries, unit, counts[unit.application]),
                "status": {**vca.unit_extract(unit, machines), **moment},
                "related": _of_others(model, read, unit),
            }
    for (model, name), entries in of_application.items():
        if model not in models or name not in models[model].applications:
            yield {
                "type_id": APPLICATION,
                "id": vca.application_id(model, name),
                "name": name,
                "model": model,
                "ns": about,
                "entries": entries,
                "gone": all(_is_gone(each, models.values()) for each in entries),
            }
    for id_, entries in of_none.items():
        element = vca.target_of(entries[0]["entry"]).target_element
        yield {
            "type_id": ENVIRONMENT,
            "id": id_,
            "name": _environment_name(entries[0]["entry"]) or element,
            "ns": about,
            "entries": entries,
        }


def _by_application(
    ns: dict[str, Any], models: Mapping[str, vca.Model], lookups: Lookups
) -> tuple[dict[tuple[str, str], list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    """The entries by model and application, and those that have none by the id of the environment."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    none: dict[str, list[dict[str, Any]]] = {}
    for each in _entries(ns):
        entry = each["entry"]
        ee = _ee_id(entry)
        name = None if _is_helm(entry) else ee.application or field(entry, "application", str)
        if not name:
            element = field(entry, "target_element", str) or vca.target_of(entry).target_element
            parts = (ns["_id"], element, field(entry, "ee_descriptor_id", str))
            none.setdefault("/".join(filter(None, parts)), []).append(each)
            continue
        model = ee.model or field(entry, "model", str) or vca.model_name(ns["_id"])
        model = f"{_owner(ns, entry, lookups)}/{model}"
        if model not in models:  # the key and the name of a full status may be another id
            having = [each for each, read in models.items() if name in read.applications]
            model = having[0] if len(having) == 1 else model
        found.setdefault((model, name), []).append(each)
    return found, none


def _is_helm(entry: Mapping[str, Any]) -> bool:
    text = field(entry, "ee_id", str) or ""
    return vca.is_helm(field(entry, "type", str)) or (text.startswith("helm") and ":" in text)


def _ee_id(entry: Mapping[str, Any]) -> vca.EeId:
    return vca.parse_ee_id(field(entry, "ee_id", str), field(entry, "type", str))


def _machine(entry: Mapping[str, Any]) -> Optional[str]:
    """The machine that the charm is on; "k8s" is none."""
    machine = None if _is_helm(entry) else _ee_id(entry).machine
    return None if machine == "k8s" else machine


def _environment_name(entry: Mapping[str, Any]) -> Optional[str]:
    names = ("ee_descriptor_id", "charm_name", "vdu_name", "kdu_name")
    return next(filter(None, (field(entry, name, str) for name in names)), None)


def _units_of_each(model: vca.Model) -> "collections.Counter[str]":
    return collections.Counter(unit.application for unit in vca.all_units(model))


def _of_unit(entries: list[dict[str, Any]], unit: vca.Unit, count: int) -> list[dict[str, Any]]:
    """The entries that are the unit's: those on its machine, or of the application's only unit."""
    if count == 1:
        return entries
    return [each for each in entries if unit.machine and _machine(each["entry"]) == unit.machine]


def _related(
    model: str, read: vca.Model, application: vca.Application, offered: Mapping[str, str]
) -> list[str]:
    """The ids of what an application has relations with, in its own model or by an offer of another."""
    ids = {
        vca.application_id(model, each) for each in vca.related_applications(read, application.name)
    }
    for remote in vca.remote_applications_of(read, application):
        # a URL with a controller's name before it is of another controller
        ids.update(filter(None, [offered.get(remote.url or "")]))
    return sorted(ids)


def _plain(status: Status) -> dict[str, Any]:
    since = status.since and status.since.isoformat()
    return {"status": status.value, "info": status.message, "since": since}


def _of_others(model: str, read: vca.Model, unit: vca.Unit) -> list[str]:
    """The ids of a unit's application, and of its principal."""
    ids = [vca.unit_id(model, unit.principal)] if unit.principal else []
    if unit.application in read.applications:
        ids.append(vca.application_id(model, unit.application))
    return sorted(ids)


def _is_gone(each: dict[str, Any], models: Iterable[vca.Model]) -> bool:
    """Whether Juju, asked after the entry was written, did not know its application any more."""
    word = field(each["configuration"], "status", str)
    if word in ("CREATING", "REGISTERING", "INSTALLING SW", "TERMINATING", "DELETED"):
        return False
    event = _last_event(each["entry"])
    since = event.status.since if event else None
    return any(
        model.applications and (since is None or model.moment is None or since <= model.moment)
        for model in models
    )


# --- how it fares ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class State:
    """How a record's thing is: the word that counts, and all that tells its health."""

    kind: str  # of the word: OSM's entity-type, or configuration
    status: Status
    observations: list[Observation]
    as_of: Optional[datetime.datetime]  # when Juju said so; None where that is ``status.since``
    gone: bool
    model: Optional[vca.Model]

    @property
    def osm(self) -> str:
        return "unknown" if self.gone else vca.osm_status(self.kind, self.status.value)

    def health(self, now: Optional[datetime.datetime] = None) -> str:
        return vca.FAILED if self.gone else vca.worst_health(self.observations, now)


Entries = list[tuple[dict[str, Any], dict[str, Any]]]  # each with its configurationStatus


def _entries_of(record: dict[str, Any]) -> Entries:
    return [
        (needed(each, "entry", dict), field(each, "configuration", dict) or {})
        for each in objects(record, "entries")
    ]


def _state(record: dict[str, Any]) -> State:
    entries = _entries_of(record)
    kind = needed(record, "type_id", str)
    full = field(record, "status", dict)
    if full is not None and kind in (APPLICATION, UNIT):
        state = _of_full_status(record, kind, vca.read_model(full), entries)
    else:
        state = _of_entries(record, kind, entries)
    state.observations.extend(_configurations(entries, with_ready=False))
    return state


def _of_full_status(record: dict[str, Any], kind: str, model: vca.Model, entries: Entries) -> State:
    """By Juju's full status, with the words of the entries that are younger."""
    name = needed(record, "name", str)
    units = [each for each in vca.all_units(model) if name in (each.name, each.application)]
    application = model.applications.get(name)
    if not (units if kind == UNIT else application):
        raise UnexpectedResponse(f"field 'status' has nothing of {name}")
    machines = vca.all_machines(model)
    younger: list[Observation] = []
    own: Optional[Status] = None  # what is younger of the application itself
    for entry, _ in entries:
        event, machine = _last_event(entry), _machine(entry)
        if event is None or event.kind not in ("application", "unit", "instance"):
            continue
        if event.kind == "instance":
            there = machines.get(machine or "")
            if there and _younger(event, model, there.instance):
                machines[there.id] = dataclasses.replace(there, instance=event.status)
            continue
        at = [n for n, unit in enumerate(units) if event.kind == "unit" and unit.machine == machine]
        if len(units) == 1:  # OSM writes the unit's status as its application's
            at = [0]
        before = [units[n].status for n in at] or [application.status if application else Status()]
        if not all(_younger(event, model, status) for status in before):
            continue
        younger.append(event)
        for n in at:
            units[n] = dataclasses.replace(units[n], status=event.status)
        if not at or event.kind == "application":
            own = event.status
    if kind == UNIT:
        observations = vca.observations_of_unit(units[0], machines)
    elif application:
        if younger:
            application = dataclasses.replace(application, status=own or Status())
        observations = vca.observations_of_application(application, units, machines)
        observations.append(Observation("model", model.status))
    status = observations[0].status
    moment = None if any(status is each.status for each in younger) else model.moment
    read = dataclasses.replace(model, machines=machines)
    return State(
        "unit" if kind == UNIT else "application", status, observations, moment, False, read
    )


def _since(observations: Observation) -> datetime.datetime:
    return observations.status.since or datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)


def _younger(event: Observation, model: vca.Model, status: Status) -> bool:
    """Than the full status; or where nobody knows when that was taken, than its own word."""
    moment = model.moment or status.since
    return event.status.since is not None and (moment is None or event.status.since > moment)


def _of_entries(record: dict[str, Any], kind: str, entries: Entries) -> State:
    """By what OSM wrote at Juju's last events, where there is no full status."""
    events = [each for each in (_last_event(entry) for entry, _ in entries) if each]
    events = sorted((each for each in events if each.kind != "action"), key=_since, reverse=True)
    events.sort(
        key=lambda each: each.kind == "instance"
    )  # a machine's word only where there is no other
    observations = list(events)
    if not events and kind == ENVIRONMENT:
        observations = _configurations(entries, with_ready=True)
    gone = bool(field(record, "gone", bool))
    if not observations:
        return State("unit", Status(), [], None, gone, None)
    of = "machine" if observations[0].kind == "instance" else observations[0].kind
    return State(of, observations[0].status, observations, None, gone, None)


def _last_event(entry: Mapping[str, Any]) -> Optional[Observation]:
    """The status of the last event. Of a machine, OSM keeps the status of its instance."""
    word, kind = field(entry, "VCA-status", str), field(entry, "entity-type", str)
    if not word and not kind and not field(entry, "ee_id", str):  # up to SIX
        word, kind = field(entry, "operational-status", str), "unit"
        word = None if word == "init" else word
    if not word or not kind:
        return None
    message = field(entry, "detailed-status", str) or ""
    since = vca.parse_epoch(entry.get("status-time"))
    return Observation("instance" if kind == "machine" else kind, Status(word, message, since))


def _configurations(entries: Entries, with_ready: bool) -> list[Observation]:
    """OSM's own words. READY is worth something of helm charts alone: it stays when a charm breaks."""
    found = []
    for entry, configuration in entries:
        word = field(configuration, "status", str)
        if not word or (word == "READY" and not (with_ready and _is_helm(entry))):
            continue
        message = field(entry, "detailed-status", str) or ""
        found.append(Observation("configuration", Status(word, message if with_ready else "")))
    return found


# --- CMP's resource, and its status point ---------------------------------------------------------


def convert(record: dict[str, Any], scope: osm.Scope, lookups: Lookups) -> ServiceOffering:
    kind = needed(record, "type_id", str)
    state = _state(record)
    return ServiceOffering(
        id=needed(record, "id", str),
        name=needed(record, "name", str),
        type_id=kind,
        connections=_connections(record, kind, state),
        metadata=metadata(
            {},
            (),
            **_of_ns(record),
            model=field(record, "model", str),
            **{**vca.status_facts(state.kind, state.status, state.as_of), "osm_status": state.osm},
            health=state.health(),
            gone_from_juju=state.gone or None,
            **_facts(record, kind, state),
            **_of_environments(_entries_of(record)),
        ),
    )


def status(record: dict[str, Any], scope: osm.Scope, lookups: Lookups) -> Iterable[Point]:
    """OSM's status of it, or its health where that is worse; since when the worst of it is."""
    state = _state(record)
    message = vca.summary(state.observations, lookups.now)
    if state.gone:
        message = f"gone from Juju; before: {message}"
    if state.as_of and lookups.now - state.as_of > OLD:
        message += f"; as of {plain(state.as_of)}"
    health = state.health(lookups.now)
    worst = [
        each.status
        for each in state.observations
        if vca.worst_health([each], lookups.now) == health
    ]
    yield Point(
        needed(record, "id", str),
        "service_offering",
        vca.level(state.osm, health),
        message,
        next((each.since for each in worst if each.value), None),
    )


def _of_ns(record: dict[str, Any]) -> dict[str, Any]:
    ns = field(record, "ns", dict) or {}
    return {ours: field(ns, name, str) for name, ours in NS_FIELDS.items()}


def _facts(record: dict[str, Any], kind: str, state: State) -> dict[str, Any]:
    """What Juju tells beside the status."""
    if state.model is None:
        return {}
    name = needed(record, "name", str)
    if kind == APPLICATION:
        return vca.application_facts(state.model, state.model.applications[name])
    unit = next(each for each in vca.all_units(state.model) if each.name == name)
    return vca.unit_facts(unit, state.model.machines)


def _of_environments(entries: Entries) -> dict[str, Any]:
    """What is configured, where all entries say the same, and each execution environment."""
    shown = [_environment(*each) for each in entries]
    places = {vca.target_of(entry) for entry, _ in entries}
    ids = {each["ee_id"] for each in shown if each.get("ee_id")}
    where = places.pop() if len(places) == 1 else vca.Target()
    return {
        "member_vnf_index": where.member_index,
        "vdu_id": where.vdu,
        "vdu_count_index": where.count,
        "kdu_name": where.kdu,
        "ee_id": ids.pop() if len(ids) == 1 else None,
        "execution_environments": shown,
    }


def _environment(entry: dict[str, Any], configuration: dict[str, Any]) -> dict[str, Any]:
    """An entry and its configurationStatus, by OSM's own names; without what is empty."""
    shown = {name: field(entry, name, str) for name in ENTRY_FIELDS}
    shown["target_element"] = vca.target_of(entry).target_element
    shown["configurationStatus"] = field(configuration, "status", str)
    shown["elementType"] = field(configuration, "elementType", str)
    shown["elementUnderConfiguration"] = field(configuration, "elementUnderConfiguration", str)
    return {name: value for name, value in shown.items() if value}


def _connections(record: dict[str, Any], kind: str, state: State) -> Connections:
    made = Connections(type="service_offering", connections=items(record, "related", str))
    model = field(record, "model", str)
    if kind == ENVIRONMENT or not model:
        return made
    units = vca.all_units(state.model) if state.model else []
    name = needed(record, "name", str)
    known = state.model.machines if state.model else {}
    machines = {each.machine for each in units if name in (each.name, each.application)}
    machines &= known.keys()
    if not units:
        machines = {_machine(entry) for entry, _ in _entries_of(record)}
    servers = sorted(vca.machine_id(model, each) for each in machines if each)
    return made.add(servers=servers)
