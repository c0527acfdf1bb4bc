"""Execution environments (EEs): the entries of ``_admin.deployed.VCA``, with their ``configurationStatus``."""

import dataclasses
from typing import Any, Optional

from shared import vca
from shared.records.fields import field, needed, objects
from shared.vca import Observation, Status

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
class Environment:
    entry: dict[str, Any]
    configuration: dict[str, Any]  # its configurationStatus

    @property
    def is_helm(self) -> bool:
        ee_id = field(self.entry, "ee_id", str) or ""
        kind = field(self.entry, "type", str)
        return vca.is_helm(kind) or (ee_id.startswith("helm") and ":" in ee_id)

    @property
    def ee_id(self) -> vca.EeId:
        return vca.parse_ee_id(field(self.entry, "ee_id", str), field(self.entry, "type", str))

    @property
    def application(self) -> Optional[str]:
        """The charm's application; None for a helm chart and for a charm that is not deployed yet."""
        if self.is_helm:
            return None
        return self.ee_id.application or field(self.entry, "application", str)

    @property
    def machine(self) -> Optional[str]:
        """The machine that the charm is on; "k8s" is not one."""
        machine = None if self.is_helm else self.ee_id.machine
        return None if machine == "k8s" else machine

    @property
    def target(self) -> vca.Target:
        return vca.target_of(self.entry)

    @property
    def name(self) -> str:
        fields = ("ee_descriptor_id", "charm_name", "vdu_name", "kdu_name")
        names = filter(None, (field(self.entry, name, str) for name in fields))
        return next(names, self.target.target_element)

    @property
    def last_event(self) -> Optional[Observation]:
        """The status in Juju's last event. For a machine, OSM stores the status of its instance."""
        entry = self.entry
        value, kind = field(entry, "VCA-status", str), field(entry, "entity-type", str)
        if not value and not kind and not field(entry, "ee_id", str):  # up to release SIX
            value, kind = field(entry, "operational-status", str), "unit"
            value = None if value == "init" else value
        if not value or not kind:
            return None
        message = field(entry, "detailed-status", str) or ""
        since = vca.parse_epoch(entry.get("status-time"))
        return Observation("instance" if kind == "machine" else kind, Status(value, message, since))

    def record(self) -> dict[str, Any]:
        """As ``of_record`` reads it."""
        return {"entry": self.entry, "configuration": self.configuration}

    def facts(self) -> dict[str, str]:
        """The entry and its configurationStatus under OSM's own names, without empty fields."""
        facts = {name: field(self.entry, name, str) for name in ENTRY_FIELDS}
        facts["target_element"] = self.target.target_element
        facts["configurationStatus"] = field(self.configuration, "status", str)
        for name in ("elementType", "elementUnderConfiguration"):
            facts[name] = field(self.configuration, name, str)
        return {name: value for name, value in facts.items() if value}


def of_ns(ns: dict[str, Any]) -> list[Environment]:
    """The environments of an NS. Both lists have holes, and for a moment one may be longer than the other."""
    admin = field(ns, "_admin", dict) or {}
    entries = _with_holes(field(admin, "deployed", dict) or {}, "VCA")
    configurations = _with_holes(ns, "configurationStatus")
    configurations += [{}] * (len(entries) - len(configurations))
    return [
        Environment(entry, configuration)
        for entry, configuration in zip(entries, configurations)
        if entry
    ]


def _with_holes(record: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """A list of objects in which null stands for an empty object."""
    filled = [{} if value is None else value for value in field(record, name, list) or []]
    return objects({name: filled}, name)


def of_record(record: dict[str, Any]) -> list[Environment]:
    return [
        Environment(needed(one, "entry", dict), field(one, "configuration", dict) or {})
        for one in objects(record, "entries")
    ]


def configurations(environments: list[Environment], with_ready: bool) -> list[Observation]:
    """The environments' configurationStatus.

    ``with_ready`` includes READY, with messages. It only means something for helm charts: the READY of a charm
    stays when the charm breaks.
    """
    observations = []
    for environment in environments:
        value = field(environment.configuration, "status", str)
        if not value or (value == "READY" and not (with_ready and environment.is_helm)):
            continue
        message = field(environment.entry, "detailed-status", str) or ""
        status = Status(value, message if with_ready else "")
        observations.append(Observation("configuration", status))
    return observations


def facts(environments: list[Environment]) -> dict[str, Any]:
    """What is configured, as far as all environments agree on it, and each environment."""
    shown = [environment.facts() for environment in environments]
    targets = {environment.target for environment in environments}
    ids = {one["ee_id"] for one in shown if one.get("ee_id")}
    target = targets.pop() if len(targets) == 1 else vca.Target()
    return {
        "member_vnf_index": target.member_index,
        "vdu_id": target.vdu,
        "vdu_count_index": target.count,
        "kdu_name": target.kdu,
        "ee_id": ids.pop() if len(ids) == 1 else None,
        "execution_environments": shown,
    }
