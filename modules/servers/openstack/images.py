"""The image that a server was created from.

``image`` is empty for a server that boots from a volume: Cinder then knows the image that the volume was
created from. Which of its volumes that is, Nova shows to admins (root_device_name); to others it is the one
on the first device (vda, sda, ...).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from nflex_connector_utils import ImageDetail

from shared.records.fields import field, needed, objects

VOLUME_FIELDS = ("attachments", "bootable", "volume_image_metadata")
FIRST_DISK = re.compile(r"[a-z]*da")  # vda, sda, xvda, hda


def image_id(record: dict[str, Any]) -> Optional[str]:
    """The image that the server boots from; None where it boots from a volume."""
    image = record.get("image")
    if not image:  # "" where it boots from a volume
        return None
    return field(field(record, "image", dict) or {}, "id", str)


def detail(
    record: dict[str, Any],
    attached: Iterable[str],
    images: Mapping[str, Optional[dict[str, Any]]],
    volumes: Mapping[str, dict[str, Any]],
) -> Optional[ImageDetail]:
    """The image of the server, or the one that its root volume was created from.

    ``attached``: the ids of the server's volumes.
    """
    name = image_id(record)
    if name:
        image = images.get(name) or {}
        return _detail(name, field(image, "name", str), image)
    root = _root_volume(record, filter(None, map(volumes.get, attached)))
    origin = field(root, "volume_image_metadata", dict) or {}
    name = field(origin, "image_id", str)
    return _detail(name, field(origin, "image_name", str), origin) if name else None


def _root_volume(record: dict[str, Any], volumes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The volume that the server boots from; empty where nothing shows which that is.

    It is the one on the root device, or else on the first one. A shelved server's volumes are on no
    device: then it is the bootable one, if there is just one.
    """
    server_id = needed(record, "id", str)
    on: dict[str, list[dict[str, Any]]] = defaultdict(list)  # by device
    for volume in volumes:
        devices = [
            field(attachment, "device", str) or ""
            for attachment in objects(volume, "attachments")
            if attachment.get("server_id") == server_id
        ]
        on[_device(devices[0]) if devices else ""].append(volume)
    root = _device(field(record, "OS-EXT-SRV-ATTR:root_device_name", str) or "")
    first = [volume for name in on if FIRST_DISK.fullmatch(name) for volume in on[name]]
    bootable = [volume for volume in on[""] if field(volume, "bootable", str) == "true"]
    for candidates in (on[root] if root else [], first, bootable):
        if len(candidates) == 1:
            return candidates[0]
    return {}


def _device(name: str) -> str:
    return name.rpartition("/")[2]  # "/dev/vda", or in old records "vda"


def _detail(image_id: str, name: Optional[str], image: dict[str, Any]) -> ImageDetail:
    """Properties as Glance documents them: os_type is windows or linux, os_distro one of libosinfo's.

    https://docs.openstack.org/glance/latest/admin/useful-image-properties.html
    """
    distribution = field(image, "os_distro", str)
    kind = (field(image, "os_type", str) or "").lower()
    if not kind and distribution:
        kind = "windows" if distribution.lower().startswith("win") else "linux"
    return ImageDetail(
        id=image_id,
        name=name,
        type={"windows": "Windows", "linux": "Linux"}.get(kind),
        distribution=distribution,
        version=field(image, "os_version", str),
        architecture=field(image, "architecture", str) or field(image, "hw_architecture", str),
    )
