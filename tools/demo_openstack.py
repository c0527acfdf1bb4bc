"""Add to an OpenStack what an inventory must cope with and its seed lacks. Safe to run again.

    OS_CLIENT_CONFIG_FILE=... python tools/demo_openstack.py        # needs openstacksdk

As cloud "admin" of clouds.yaml (another name: first argument), in project "alpha": a volume that two
servers share, a volume type with an IOPS limit, two networks of the same name with a server on both,
a server of a hidden image and one of an image that was deleted; and the project "demo-empty", empty,
in which the user "inventory" is reader.

Where the cloud has the service: a static route, a firewall group on a router's port, a load balancer
with members that are servers and one that is none, shares with and without a share network, IPsec site
connections (old and new style), BGP VPNs, an L2 gateway connection. VPNaaS shows its connections to
members only, so "inventory" becomes member of "alpha" where there is VPNaaS.
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
    routers = alpha.network.routers(project_id=alpha.current_project_id)
    if by_name(routers, "web-rtr-0000"):
        appliances(alpha)
        circuits(admin, alpha)
    else:
        print(
            "no router web-rtr-0000, as the lab's seed makes it: no appliances and circuits added"
        )
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
    """Two networks with the same name."""
    project = alpha.current_project_id
    found = list(alpha.network.networks(name="demo-twin", project_id=project))
    for number in range(len(found), 2):
        network = alpha.network.create_network(name="demo-twin")
        alpha.network.create_subnet(
            network_id=network.id, name="demo-twin", ip_version=4, cidr=f"10.250.{number}.0/24"
        )
    found = alpha.network.networks(name="demo-twin", project_id=project)
    return sorted(found, key=lambda each: alpha.network.get_subnet(each.subnet_ids[0]).cidr)


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


# --- appliances and circuits: plain calls, since openstacksdk does not know all of these --------------


def ensure(proxy, path, key, name, wait=(), **body):
    """The object with this name, created if the listing has none; waits for one of the statuses ``wait``."""
    plural = path.rpartition("/")[2].replace("-", "_")
    listed = proxy.get(path)
    listed.raise_for_status()
    found = next((each for each in listed.json()[plural] if each.get("name") == name), None)
    if found is None:
        answer = proxy.post(path, json={key: {**({"name": name} if name else {}), **body}})
        if answer.status_code >= 400:
            raise SystemExit(f"{path}: {answer.status_code} {answer.text}")
        found = answer.json()[key]
    for _ in range(600 if wait else 0):
        found = proxy.get(f"{path}/{found['id']}").json()[key]
        if found.get("provisioning_status", found.get("status")) in wait:
            return found
        time.sleep(0.2)
    return found


def offers(alpha, alias):
    return alpha.network.find_extension(alias) is not None


def first(listing, **wanted):
    return next(each for each in listing if all(each[k] == v for k, v in wanted.items()))


def appliances(alpha):
    project = alpha.current_project_id
    router = by_name(alpha.network.routers(project_id=project), "web-rtr-0000")
    ports = list(alpha.network.ports(project_id=project))
    inside = first(ports, device_id=router.id, device_owner="network:router_interface")
    gateway = inside.fixed_ips[0]["ip_address"].rpartition(".")[0]
    alpha.network.update_router(
        router, routes=[{"destination": "10.99.0.0/24", "nexthop": f"{gateway}.254"}]
    )
    servers = [by_name(alpha.compute.servers(), f"demo-twin-{n}") for n in (0, 1)]
    twin = twins(alpha)[0]
    members = [first(ports, device_id=each.id, network_id=twin.id) for each in servers]
    if offers(alpha, "fwaas_v2"):
        firewall(alpha, [inside.id, members[1].id])
    if alpha.has_service("load-balancer"):
        balancer(alpha, twin, [each.fixed_ips[0] for each in members])
    if alpha.has_service("shared-file-system"):
        shares(alpha, twin)


def firewall(alpha, ports):
    net = alpha.network
    rule = ensure(
        net,
        "/fwaas/firewall_rules",
        "firewall_rule",
        "demo-web",
        protocol="tcp",
        destination_port="443",
        action="allow",
    )
    policy = ensure(
        net,
        "/fwaas/firewall_policies",
        "firewall_policy",
        "demo-web",
        firewall_rules=[rule["id"]],
    )
    ensure(
        net,
        "/fwaas/firewall_groups",
        "firewall_group",
        "demo-edge",
        ports=ports,
        ingress_firewall_policy_id=policy["id"],
    )


def balancer(alpha, network, addresses):
    lbaas, active = alpha.load_balancer, ("ACTIVE",)
    path, key = "/lbaas/loadbalancers", "loadbalancer"
    requested = {"vip_network_id": network.id, "tags": ["demo"]}

    def ready():
        return ensure(lbaas, path, key, "demo-балансир", active, **requested)

    lb = ready()
    listener = ensure(
        lbaas,
        "/lbaas/listeners",
        "listener",
        "demo-https",
        protocol="TCP",
        protocol_port=443,
        loadbalancer_id=lb["id"],
    )
    ready()
    pool = ensure(
        lbaas,
        "/lbaas/pools",
        "pool",
        "demo-web",
        protocol="TCP",
        lb_algorithm="ROUND_ROBIN",
        listener_id=listener["id"],
    )
    ready()
    subnet = addresses[0]["subnet_id"]
    known = [(each["ip_address"], each["subnet_id"]) for each in addresses]
    for number, (address, of) in enumerate(
        [*known, ("10.250.0.250", subnet), ("192.0.2.80", None)]
    ):
        ensure(
            lbaas,
            f"/lbaas/pools/{pool['id']}/members",
            "member",
            f"demo-{number}",
            address=address,
            protocol_port=8443,
            **({"subnet_id": of} if of else {}),
        )
        ready()
    ensure(lbaas, path, key, "demo-no-pool", active, vip_network_id=network.id)


def shares(alpha, network):
    manila = alpha.shared_file_system
    subnet = next(iter(alpha.network.subnets(network_id=network.id)))
    of_type = {}
    for name, own_servers in (("demo-own-server", True), ("demo-plain", False)):
        listed = manila.get("/types", params={"is_public": "all"}).json()["share_types"]
        found = next((each for each in listed if each["name"] == name), None)
        body = {"name": name, "extra_specs": {"driver_handles_share_servers": own_servers}}
        found = found or manila.post("/types", json={"share_type": body}).json()["share_type"]
        of_type[name] = found["id"]
    net = ensure(
        manila,
        "/share-networks",
        "share_network",
        "demo",
        neutron_net_id=network.id,
        neutron_subnet_id=subnet.id,
    )
    for name, more in (
        ("demo-own-server", {"share_network_id": net["id"]}),
        ("demo-plain", {"metadata": {"env": "demo"}}),
    ):
        done = ("available", "error")
        kind = {"share_type": of_type[name], "share_proto": "NFS", "size": 2}
        ensure(manila, "/shares", "share", name, done, **kind, **more)


def circuits(admin, alpha):
    project = alpha.current_project_id
    router = by_name(alpha.network.routers(project_id=project), "web-rtr-0000")
    twin = twins(alpha)[0]
    if offers(alpha, "vpnaas"):
        user = by_name(admin.identity.users(), "inventory")
        member = by_name(admin.identity.roles(), "member")
        admin.identity.assign_project_role_to_user(project, user, member)
        site_connections(alpha, router)
    if offers(alpha, "bgpvpn"):
        bgpvpns(alpha, router, twin)
    if offers(alpha, "l2-gateway-connection"):
        l2_gateway(alpha, twin)


def site_connections(alpha, router):
    net = alpha.network
    inside = first(
        alpha.network.ports(device_id=router.id), device_owner="network:router_interface"
    )
    subnet = inside.fixed_ips[0]["subnet_id"]
    secure = {"auth_algorithm": "sha256"}
    ike = ensure(net, "/vpn/ikepolicies", "ikepolicy", "demo", **secure)
    ipsec = ensure(net, "/vpn/ipsecpolicies", "ipsecpolicy", "demo", **secure)
    local, peer = (
        ensure(net, "/vpn/endpoint-groups", "endpoint_group", name, type=kind, endpoints=endpoints)
        for name, kind, endpoints in (
            ("demo-local", "subnet", [subnet]),
            ("demo-peer", "cidr", ["10.80.0.0/16"]),
        )
    )
    new = ensure(net, "/vpn/vpnservices", "vpnservice", "demo", router_id=router.id)
    both = {
        "ikepolicy_id": ike["id"],
        "ipsecpolicy_id": ipsec["id"],
        "psk": "invented-demo-psk",
        "vpnservice_id": new["id"],
    }
    ensure(
        net,
        "/vpn/ipsec-site-connections",
        "ipsec_site_connection",
        "demo-berlin",
        peer_address="203.0.113.7",
        peer_id="203.0.113.7",
        local_ep_group_id=local["id"],
        peer_ep_group_id=peer["id"],
        **both,
    )
    # as before endpoint groups
    second = by_name(net.routers(project_id=alpha.current_project_id), "cache-é-rtr-0002")
    inside = first(net.ports(device_id=second.id), device_owner="network:router_interface")
    old = ensure(
        net,
        "/vpn/vpnservices",
        "vpnservice",
        "demo-old",
        router_id=second.id,
        subnet_id=inside.fixed_ips[0]["subnet_id"],
    )
    ensure(
        net,
        "/vpn/ipsec-site-connections",
        "ipsec_site_connection",
        "demo-москва",
        peer_address="198.51.100.9",
        peer_id="198.51.100.9",
        peer_cidrs=["10.81.0.0/16"],
        **{**both, "vpnservice_id": old["id"]},
    )


def bgpvpns(alpha, router, network):
    net = alpha.network
    of = {
        name: ensure(net, "/bgpvpn/bgpvpns", "bgpvpn", name, type="l3", route_targets=[target])
        for name, target in (("demo-mpls", "64512:10"), ("demo-unused", "64512:20"))
    }
    vpn = of["demo-mpls"]
    for kind, key, id_ in (("network", "networks", network.id), ("router", "routers", router.id)):
        if id_ not in vpn.get(key, []):
            path = f"/bgpvpn/bgpvpns/{vpn['id']}/{kind}_associations"
            answer = net.post(path, json={f"{kind}_association": {f"{kind}_id": id_}})
            if answer.status_code >= 400:
                raise SystemExit(f"{path}: {answer.status_code} {answer.text}")


def l2_gateway(alpha, network):
    net = alpha.network
    ports = [{"name": "eth1/7", "segmentation_id": [77]}]
    device = {"device_name": "tor-1", "interfaces": ports}
    gateway = ensure(net, "/l2-gateways", "l2_gateway", "demo-rack", devices=[device])
    listed = net.get("/l2-gateway-connections").json()["l2_gateway_connections"]
    if not listed:
        body = {"l2_gateway_id": gateway["id"], "network_id": network.id}
        answer = net.post("/l2-gateway-connections", json={"l2_gateway_connection": body})
        if answer.status_code >= 400:
            raise SystemExit(answer.text)


def until(look, states, also=lambda found: True):
    for _ in range(600):
        found = look()
        if found.status in states and also(found):
            return found
        time.sleep(0.2)
    raise SystemExit(f"{found.name}: still {found.status}")


if __name__ == "__main__":
    main()
