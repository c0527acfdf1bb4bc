"""Ids, names and namespaces: how Juju and OSM refer to the same applications, units and machines."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Optional

from shared.records.fields import field

OWNER = "admin"  # of the models that OSM creates, unless its VCA account names another user

# --- ids that the Juju view and the OSM view share ------------------------------------------------
# ``model`` is Juju's qualified name, owner/name: a model's name is only unique among its owner's.


def application_id(model: str, application: str) -> str:
    return f"{model}:application:{application}"


def unit_id(model: str, unit: str) -> str:
    return f"{model}:unit:{unit}"


def machine_id(model: str, machine: str) -> str:
    """The id of a machine ("0") or a container ("0/lxd/1")."""
    return f"{model}:machine:{machine}"


# --- execution environments -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class EeId:
    """The id of an execution environment, in parts; None where the text lacks one.

    Of a charm: model, application and machine ("k8s" where there is none). Of a helm chart: its namespace as
    ``model`` and its release as ``application``.
    """

    model: Optional[str] = None
    application: Optional[str] = None
    machine: Optional[str] = None


def is_helm(kind: Optional[str]) -> bool:
    """Whether a VCA entry of this ``type`` is a helm chart, which Juju knows nothing of."""
    return (kind or "").startswith("helm")


def parse_ee_id(text: Optional[str], kind: Optional[str] = None) -> EeId:
    """``model.application.machine``, or ``[helm-v3:]namespace.release`` for a helm ``kind``.

    Never raises: OSM's records hold ids of two parts, and empty ones while an environment is being created.
    """
    if not text:
        return EeId()
    if is_helm(kind) or text.startswith("helm"):
        before, colon, after = text.partition(":")
        if colon:
            return _ee_id(after.split(".", 1))
        if is_helm(kind):
            return _ee_id(before.split(".", 1))
    return _ee_id(text.split(".", 2))  # the rest is the machine: 0/lxd/1


def _ee_id(parts: list[str]) -> EeId:
    return EeId(*(part or None for part in parts))


# --- namespaces -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Namespace:
    """``[nsi].ns[.vnf[.vdu[-count]]]``; ``vdu`` may be a KDU, which has no count."""

    nsi: Optional[str] = None
    ns: Optional[str] = None
    vnf: Optional[str] = None
    vdu: Optional[str] = None
    count: Optional[int] = None


_COUNTED = re.compile(r"(.*)-([0-9]{1,18})", re.DOTALL)


def parse_namespace(text: Optional[str]) -> Namespace:
    """The parts of a namespace; raises ValueError for other texts. Callers that need ``ns`` check for it.

    The count is what follows the last hyphen, if that is digits; VDU ids and KDU names contain hyphens too.
    "db-2" may be count 2 of VDU db, or KDU db-2: with the VCA entry at hand, use ``target_of``.
    """
    if not text:
        raise ValueError("a namespace is empty")
    parts = text.split(".")
    if len(parts) > 4:
        raise ValueError(f"namespace {text!r} has more than four parts")
    nsi, ns, vnf, last = (part or None for part in parts + [""] * (4 - len(parts)))
    vdu, count = _counted(last)
    if vdu == "":
        raise ValueError(f"namespace {text!r} has a count of nothing")
    return Namespace(nsi, ns, vnf, vdu, count)


def _counted(text: Optional[str]) -> tuple[Optional[str], Optional[int]]:
    match = _COUNTED.fullmatch(text or "")
    return (match[1], int(match[2])) if match else (text, None)


@dataclasses.dataclass(frozen=True)
class Target:
    """The part of its network service that a VCA entry configures. All None: the service itself."""

    member_index: Optional[str] = None
    vdu: Optional[str] = None
    kdu: Optional[str] = None
    count: Optional[int] = None

    @property
    def target_element(self) -> str:
        """The target as OSM writes it, and as people know the entry."""
        if self.member_index is None:
            return "ns"
        path = f"vnf/{self.member_index}"
        if self.kdu is not None:
            return f"{path}/kdu/{self.kdu}"
        if self.vdu is not None:
            return f"{path}/vdu/{self.vdu}/{self.count or 0}"
        return path


def target_of(entry: Mapping[str, Any]) -> Target:
    """The target of an entry of ``_admin.deployed.VCA``: by its members, else by its ``target_element``."""
    index = field(entry, "member-vnf-index", str) or None
    if index:
        vdu, kdu = field(entry, "vdu_id", str) or None, field(entry, "kdu_name", str) or None
        count = field(entry, "vdu_count_index", int) if vdu else None
        return Target(index, vdu, kdu, count)
    parts = (field(entry, "target_element", str) or "").split("/")
    if parts[0] != "vnf" or len(parts) < 2:
        return Target()
    if parts[2:3] == ["kdu"]:
        return Target(parts[1], kdu="/".join(parts[3:]))
    if parts[2:3] == ["vdu"] and len(parts) > 3:
        counted = len(parts) > 4 and re.fullmatch("[0-9]{1,18}", parts[4])
        return Target(parts[1], parts[3], count=int(parts[4]) if counted else None)
    return Target(parts[1])


# --- names that OSM gives to models and applications ----------------------------------------------


def model_name(text: str) -> str:
    """OSM's name for a Juju model."""
    return re.sub("[_ ]", "-", text).lower()


def application_name(text: str) -> str:
    """OSM's name for a Juju application, in which no group between hyphens may consist of digits alone.

    Different texts may get the same name.
    """
    groups = re.sub("-+", "-", model_name(text)).split("-")
    name = "-".join("z" + group if re.fullmatch("[0-9]*", group) else group for group in groups)
    return "z" + name if re.match("[0-9]", name) else name


def application_name_of(namespace: Namespace) -> str:
    """The name that N2VC 7.0 gave. Later releases have other patterns, so it identifies nothing."""
    parts = (("vnf", namespace.vnf), ("vdu", namespace.vdu), ("cnt", namespace.count))
    return application_name("app-" + "-".join(f"{k}-{v}" for k, v in parts if v is not None))
