"""Machines and containers of Juju's models.

API: Client.FullStatus, one call a model, which answers with everything.
https://documentation.ubuntu.com/juju/3.6/reference/machine/

Machines are numbered within their model: ids are ``owner/name:machine:0``, those of containers
``owner/name:machine:0/lxd/1``. Memory and disk are in MiB. A container has neither cores nor memory of
its own, and a machine that the cloud has not provided yet has nothing. Juju 4 lists containers of
containers beside them, older releases inside them; their ids are the same. Models on Kubernetes have no machines.
"""

import re
from collections.abc import Iterator
from typing import Any, Optional

from nflex_connector_utils import Connections, ImageDetail, IpAddress, Region, Server

from shared import vca
from shared.engine.contracts import Cell, Page
from shared.providers import juju
from shared.records.fields import field, items, needed
from shared.records.metadata import metadata
from shared.transport import decode

MIB = 2**20
# The instance's status, which is the cloud's; if there is none, the agent's.
STATES = {
    "allocating": "pending",
    "down": "stopped",
    "error": "stopped",
    "pending": "pending",
    "provisioning error": "stopped",
    "running": "running",
    "started": "running",
    "stopped": "stopped",
}
LIVES = {"dying": "shutting", "dead": "terminated"}
RELEASES = {
    "xenial": "16.04",
    "bionic": "18.04",
    "focal": "20.04",
    "jammy": "22.04",
    "noble": "24.04",
    "resolute": "26.04",
}
SIZES = {"M": MIB, "G": MIB * 2**10, "T": MIB * 2**20, "P": MIB * 2**30}
DETAILS = (
    "instance-id",
    "display-name",
    "hostname",
    "dns-name",
    "agent-status",
    "instance-status",
    "modification-status",
    "base",
    "series",
    "network-interfaces",
    "constraints",
    "hardware",
    "jobs",
    "has-vote",
    "wants-vote",
    "lxd-profiles",
    "primary-controller-machine",
    "cluster-role",
)
# The value is a list of texts, some of them quoted: tags=virtual,"rack 3, left"
_PAIR = re.compile(r'([a-z-]+)=((?:"(?:[^"\\]|\\.)*"|[^\s"])*)')


def fetch(scope: juju.Scope) -> Iterator[Page[dict[str, Any], None]]:
    """One page: the model's machines, each followed by its containers."""
    yield Page(list(_with_containers(field(scope.status(), "machines", dict) or {})), None)


def _with_containers(machines: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for id_ in sorted(machines):
        machine = needed(machines, id_, dict)
        yield {**machine, "id": id_, "containers": None}
        yield from _with_containers(field(machine, "containers", dict) or {})


def convert(record: dict[str, Any], scope: juju.Scope, lookups: None) -> Server:
    number = needed(record, "id", str)
    machine = vca.read_model({"machines": {number: record}}).machines[number]
    hardware = parse_hardware(machine.hardware or "")
    id_ = vca.machine_id(scope.name, number)
    state, provider_state = _state(machine, record)
    region = field(scope.summary, "cloud-region", str)
    return Server(
        id=id_,
        name=machine.display_name or machine.hostname or id_,
        cpu_cores=_number(hardware.get("cores") or hardware.get("cpu-cores")),
        ram_b=size(hardware.get("mem")),
        volumes_b=size(hardware.get("root-disk")),
        state=state,
        provider_state=provider_state,
        is_virtual=True if machine.parent or "virt-type" in hardware else None,
        image_detail=_image(machine, hardware.get("arch")),
        instance_type=hardware.get("instance-type"),
        ip_addresses=_addresses(record, machine),
        connections=Connections(
            servers=[vca.machine_id(scope.name, machine.parent)] if machine.parent else []
        ),
        metadata=metadata(
            record,
            DETAILS,
            model=scope.name,
            model_uuid=scope.uuid,
            machine=number,
            zone=hardware.get("availability-zone"),
            architecture=hardware.get("arch"),
        ),
        region=Region(region) if region else None,
    )


def parse_hardware(text: str) -> dict[str, str]:
    """The values in Juju's ``arch=amd64 availability-zone="zone A"``, without quotes."""
    return {name: _unquoted(value) for name, value in _PAIR.findall(text)}


def _unquoted(value: str) -> str:
    if not (len(value) > 1 and value.startswith('"') and value.endswith('"')):
        return value
    try:
        return str(decode.json_value(value))
    except decode.Unusable:
        return value  # two quoted texts, or an escape that only Go has


def size(text: Optional[str]) -> Optional[int]:
    """``4096M`` in bytes; a number without a unit is in MiB."""
    match = re.fullmatch(r"(\d{1,18}(?:\.\d{1,18})?)([MGTP]?)", text or "")
    return int(float(match[1]) * SIZES[match[2] or "M"]) if match else None


def _number(text: Optional[str]) -> Optional[int]:
    return int(text) if text and re.fullmatch(r"[0-9]{1,18}", text) else None


def _state(machine: vca.Machine, record: dict[str, Any]) -> tuple[str, Optional[str]]:
    """CMP's state, and Juju's value for it: that of the removal, if it is being removed, else the instance's."""
    life = field(field(record, "agent-status", dict) or {}, "life", str)
    if life in LIVES:
        return LIVES[life], life
    instance = machine.instance.value
    value = machine.agent.value if instance in ("", "unknown") else instance
    return STATES.get(value, "unknown"), value or instance or None


def _image(machine: vca.Machine, architecture: Optional[str]) -> Optional[ImageDetail]:
    """The base, as Juju writes it: ubuntu@22.04; in releases that are too old for that, the series."""
    series = machine.series or ""
    name, _, version = (machine.base or "").partition(" ")
    if not name and series in RELEASES:
        name, version = "ubuntu", RELEASES[series]
    elif not name and series.startswith("centos"):
        name, version = "centos", series[len("centos") :]
    if not name and not series:
        return None
    id_ = f"{name}@{version}" if version else name or series
    windows = id_.startswith("win")
    return ImageDetail(
        id=id_,
        name=f"{name} {version}".strip() or series,
        type="Windows" if windows else "Linux",
        distribution=name or None,
        version=version or None,
        architecture=architecture,
    )


def _addresses(record: dict[str, Any], machine: vca.Machine) -> list[IpAddress]:
    """The addresses that Juju lists for the machine, and those that only its network devices have."""
    devices = field(record, "network-interfaces", dict) or {}
    of_device = {
        address: device
        for device in sorted(devices)
        for address in items(field(devices, device, dict) or {}, "ip-addresses", str)
    }
    addresses = dict.fromkeys([*machine.addresses, *of_device])
    return [IpAddress(address, description=of_device.get(address)) for address in addresses]


CELL = Cell(
    calls="1 login + 1 ListModelSummaries; a model: 1 login + 1 FullStatus",
    permissions=("controller login", "model read"),
    fetch=fetch,
    convert=convert,
)
