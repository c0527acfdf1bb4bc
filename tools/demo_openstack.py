"""Add to an OpenStack what an inventory must cope with and its seed lacks. Safe to run again.

    OS_CLIENT_CONFIG_FILE=... python tools/demo_openstack.py        # needs openstacksdk

As cloud "admin" of clouds.yaml (another name: first argument), in project "alpha": a volume that two
servers share, a volume type with an IOPS limit, two networks of the same name with a server on both,
a server of a hidden image and one of an image that was deleted; and the project "demo-empty", empty,
in which the user "inventory" is reader.
"""

import sys
import time

import openstack


def main() -> None:
    cloud = sys.argv[1] if len(sys.argv) > 1 else "admin"
    admin = openstack.connect(cloud=cloud)
    alpha = openstack.connect(cloud=cloud, project_name="alpha")
    alpha.compute.default_microversion = "2.90"
    empty_project(admin)
    limited = volume_type(admin, "demo-limited", {})
    limit_iops(admin, limited, "500")
    shared = volume_type(admin, "demo-multiattach", {"multiattach": "<is> True"})
    plain = image(alpha, "demo-plain")
    networks = twins(alpha)
    first = server(alpha, "demo-twin-0", plain.id, networks)
    second = server(alpha, "demo-twin-1", plain.id, networks[:1])
    volume(alpha, "demo-limited", limited.name)
    attach(alpha, volume(alpha, "demo-multiattach", shared.name), (first, second))
    hidden = image(alpha, "demo-hidden")
    server(alpha, "demo-of-hidden-image", hidden.id, networks[:1])
    alpha.image.update_image(hidden, is_hidden=True)
    if not by_name(alpha.compute.servers(), "demo-of-deleted-image"):
        gone = image(alpha, "demo-deleted")
        server(alpha, "demo-of-deleted-image", gone.id, networks[:1])
        alpha.image.delete_image(gone)
    print("ready")


def by_name(listing, name):
    return next((each for each in listing if each.name == name), None)


def empty_project(admin):
    project = by_name(admin.identity.projects(), "demo-empty")
    project = project or admin.identity.create_project(name="demo-empty", domain_id="default")
    user = by_name(admin.identity.users(), "inventory")
    reader = by_name(admin.identity.roles(), "reader")
    admin.identity.assign_project_role_to_user(project, user, reader)


def volume_type(admin, name, extra_specs):
    found = by_name(admin.block_storage.types(), name)
    return found or admin.block_storage.create_type(name=name, extra_specs=extra_specs)


def limit_iops(admin, kind, iops):
    """QoS specs have no place in openstacksdk: plain calls."""
    cinder = admin.block_storage
    specs = cinder.get("/qos-specs").json()["qos_specs"]
    spec = next((each for each in specs if each["name"] == kind.name), None)
    if spec is None:
        body = {"name": kind.name, "consumer": "front-end", "total_iops_sec": iops}
        answer = cinder.post("/qos-specs", json={"qos_specs": body})
        answer.raise_for_status()
        spec = answer.json()["qos_specs"]
    path = f"/qos-specs/{spec['id']}/associate"
    cinder.get(path, params={"vol_type_id": kind.id}).raise_for_status()


def image(alpha, name):
    listed = list(alpha.image.images()) + list(alpha.image.images(os_hidden=True))
    found = by_name(listed, name)
    return found or alpha.image.create_image(
        name=name,
        disk_format="raw",
        container_format="bare",
        visibility="private",
        data=b"\0" * 512,
        validate_checksum=False,
        allow_duplicates=True,
        os_type="linux",
        os_distro="debian",
        os_version="12",
        architecture="x86_64",
    )


def twins(alpha):
    """Two networks that have the same name."""
    project = alpha.current_project_id
    found = list(alpha.network.networks(name="demo-twin", project_id=project))
    for number in range(len(found), 2):
        made = alpha.network.create_network(name="demo-twin")
        alpha.network.create_subnet(
            network_id=made.id, name="demo-twin", ip_version=4, cidr=f"10.250.{number}.0/24"
        )
        found.append(made)
    return sorted(found, key=lambda each: each.id)


def server(alpha, name, image_id, networks):
    found = by_name(alpha.compute.servers(), name)
    if found is None:
        flavor = by_name(alpha.compute.flavors(), "m1.tiny")
        found = alpha.compute.create_server(
            name=name,
            flavor_id=flavor.id,
            image_id=image_id,
            networks=[{"uuid": each.id} for each in networks],
        )
    return alpha.compute.wait_for_server(found, wait=120)


def volume(alpha, name, kind):
    found = by_name(alpha.block_storage.volumes(), name)
    found = found or alpha.block_storage.create_volume(name=name, size=1, volume_type=kind)
    return until(lambda: alpha.block_storage.get_volume(found.id), ("available", "in-use"))


def attach(alpha, shared, servers):
    have = {each["server_id"] for each in shared.attachments}
    for each in servers:
        if each.id not in have:
            alpha.compute.create_volume_attachment(each, volume_id=shared.id)
            have.add(each.id)
            until(
                lambda: alpha.block_storage.get_volume(shared.id),
                ("in-use",),
                lambda found: {a["server_id"] for a in found.attachments} >= have,
            )


def until(look, states, also=lambda found: True):
    for _ in range(600):
        found = look()
        if found.status in states and also(found):
            return found
        time.sleep(0.2)
    raise SystemExit(f"{found.name}: still {found.status}")


if __name__ == "__main__":
    main()
