"""The clients that ``make bench`` compares: ``python -I -S benchmarks/clients.py < JSON``, each in a fresh process.

The JSON names the client (a function of CLIENTS), the folders for sys.path and how to connect. What is printed is
JSON too: CPU and peak memory of the process from its start until the list is complete, CPU until the first response
began, the time, and the number and the digest of the ids in the list, which are read from it after the measurement
where the client keeps a list.

It starts without site-packages and imports nothing of this project, so that each client loads what it needs and no
more.
"""

import json
import resource
import sys
import time
from typing import Any, Callable

Ids = list[str]
Client = Callable[[dict[str, Any]], Callable[[], Ids]]  # how to connect -> what reads the ids
PAGE = 1000
INSTANCE_TYPE, IMAGE = "m5.large", "ami-0abcdef0123456789"
LISTED: list[list[dict[str, Any]]] = []  # what ours returned
FIRST: list[float] = []  # CPU seconds of the process when the first response began


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def note_first_response() -> None:
    """Have http.client, on which all of them stand, note the CPU time at its first response."""
    import http.client

    begin = http.client.HTTPResponse.begin

    def noting(self: Any) -> None:
        begin(self)
        FIRST.append(cpu())
        http.client.HTTPResponse.begin = begin  # type: ignore[method-assign]

    http.client.HTTPResponse.begin = noting  # type: ignore[method-assign]


def route(connection: dict[str, Any]) -> None:
    """Let every name be this host, and the usual bundle of CAs contain that of the stand-in.

    So a client connects once a region, as to AWS, and loads as many CAs.
    """
    import socket

    import certifi

    with open(certifi.where(), encoding="utf-8") as usual, open(connection["ca"]) as own:
        text = usual.read() + own.read()
    bundle = connection["ca"] + ".bundle"
    with open(bundle, "w", encoding="utf-8") as file:
        file.write(text)
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", connection["port"]))
    socket.getaddrinfo = lambda *_, **__: [address]  # type: ignore[assignment]
    certifi.where = lambda: bundle


# --- ours ---------------------------------------------------------------------------------------


class Context:
    """What a runtime gives a handler, as far as a poll needs it."""

    module_id = "bench"

    def log(self, message: str, severity: str = "info") -> None:
        print(severity, message, file=sys.stderr)


def _ours(provider: str, credentials: dict[str, Any]) -> list[dict[str, Any]]:
    """The list of a module that ``make build`` built. ``path`` begins with its folder."""
    import main  # type: ignore[import-not-found]

    event = {"provider": provider, "credentials": credentials}
    resources: list[dict[str, Any]] = main.get(event, Context())
    LISTED.append(resources)
    return resources


def write_list(path: str) -> None:
    """Write what ours listed, a resource a line, for ``output_list``; after the measurement, and once."""
    import os

    if LISTED and not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(resource) + "\n" for resource in LISTED[0])


def output_list(connection: dict[str, Any]) -> Callable[[], Ids]:
    """The list that ours returned, and nothing else; as in ours, all resources share their keys."""

    def shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {sys.intern(name): value for name, value in pairs}

    with open(connection["list"], encoding="utf-8") as file:
        resources = [json.loads(line, object_pairs_hook=shared) for line in file]
    return lambda: [each["id"] for each in resources]


def _keys(connection: dict[str, Any]) -> dict[str, str]:
    keys = {"aws_access_key_id": "AKIAINVENTEDEXAMPLE1", "aws_secret_access_key": "invented"}
    return {**keys, **({"endpoint_url": connection["url"]} if "url" in connection else {})}


def ours_aws(connection: dict[str, Any]) -> Callable[[], Ids]:
    resources = _ours("aws", _keys(connection))
    return lambda: [each["id"] for each in resources]


def ours_openstack(connection: dict[str, Any]) -> Callable[[], Ids]:
    resources = _ours("openstack", {"auth_url": connection["url"], **LOGIN})
    return lambda: [each["id"] for each in resources]


def ours_netbox(connection: dict[str, Any]) -> Callable[[], Ids]:
    resources = _ours("netbox", connection)
    return lambda: [each["id"] for each in resources]


def ours_juju(connection: dict[str, Any]) -> Callable[[], Ids]:
    resources = _ours("juju", connection["credentials"])
    units = (each["id"] for each in resources if ":unit:" in each["id"])
    return lambda: [unit.replace(":unit:", ":").partition("/")[2] for unit in units]


def with_orjson(ours: Client) -> Client:
    """The same with orjson, which is on the path then; the zips do without it."""

    def client(connection: dict[str, Any]) -> Callable[[], Ids]:
        import orjson  # noqa: F401 - ends the run where it is missing

        return ours(connection)

    return client


# --- AWS ----------------------------------------------------------------------------------------


def _boto3(connection: dict[str, Any], region: str) -> Any:
    import boto3

    return boto3.client("ec2", region_name=region, **_keys(connection))


def boto3_count(connection: dict[str, Any]) -> Callable[[], Ids]:
    """The paginator, and no more than the ids of what it gives."""
    client = _boto3(connection, connection["regions"][0])
    ids = [
        instance["InstanceId"]
        for page in client.get_paginator("describe_instances").paginate(
            PaginationConfig={"PageSize": PAGE}
        )
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]
    return lambda: ids


def boto3_same_calls(connection: dict[str, Any]) -> Callable[[], Ids]:
    """The calls of our handler, one after another; everything is kept."""
    regions = _boto3(connection, "us-east-1").describe_regions()["Regions"]
    found: list[Any] = []
    for region in sorted(each["RegionName"] for each in regions):
        client = _boto3(connection, region)
        for operation, key in (
            ("describe_subnets", "Subnets"),
            ("describe_volumes", "Volumes"),
            ("describe_instances", "Reservations"),
        ):
            pages = client.get_paginator(operation).paginate(PaginationConfig={"PageSize": PAGE})
            found += [(key, record) for page in pages for record in page[key]]
        for operation, key, name, value in (
            ("describe_instance_types", "InstanceTypes", "instance-type", INSTANCE_TYPE),
            ("describe_images", "Images", "image-id", IMAGE),
        ):
            answer = getattr(client, operation)(Filters=[{"Name": name, "Values": [value]}])
            found += [(key, record) for record in answer[key]]
    reservations = (record for key, record in found if key == "Reservations")
    return lambda: [each["InstanceId"] for record in reservations for each in record["Instances"]]


def boto3_load_balancers(connection: dict[str, Any]) -> Callable[[], Ids]:
    """Load balancers with their listeners, tags, target groups and targets, one call after another."""
    import boto3

    client = boto3.client("elbv2", region_name="us-east-1", **_keys(connection))

    def listed(operation: str, key: str) -> list[Any]:
        pages = client.get_paginator(operation).paginate(PaginationConfig={"PageSize": 400})
        return [record for page in pages for record in page[key]]

    arns = [each["LoadBalancerArn"] for each in listed("describe_load_balancers", "LoadBalancers")]
    found = [client.describe_listeners(LoadBalancerArn=arn)["Listeners"] for arn in arns]
    found += [
        client.describe_target_health(TargetGroupArn=group["TargetGroupArn"])
        for group in listed("describe_target_groups", "TargetGroups")
    ]
    most = 20  # resources that DescribeTags takes
    for start in range(0, len(arns), most):
        found.append(client.describe_tags(ResourceArns=arns[start : start + most]))
    return lambda: arns


# --- OpenStack ----------------------------------------------------------------------------------

LOGIN: dict[str, Any] = {
    "username": "reader",
    "password": "invented",
    "project_name": "alpha",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}


def openstacksdk(connection: dict[str, Any]) -> Callable[[], Ids]:
    """Servers and ports, of which the list is made."""
    import openstack

    cloud = openstack.connect(
        auth={"auth_url": connection["url"], **LOGIN},
        region_name="RegionOne",
        load_yaml_config=False,
        load_envvars=False,
    )
    servers = list(cloud.compute.servers(details=True, limit=PAGE))
    ports = list(cloud.network.ports(limit=PAGE))
    if len(ports) != len(servers):
        raise SystemExit(f"{len(ports)} ports of {len(servers)} servers")
    return lambda: [server.id for server in servers]


def libcloud(connection: dict[str, Any]) -> Callable[[], Ids]:
    """Servers alone. Its newest driver gives all pages; that for EC2 gives the first page only."""
    from libcloud.compute.providers import get_driver
    from libcloud.compute.types import Provider

    driver = get_driver(Provider.OPENSTACK)(
        LOGIN["username"],
        LOGIN["password"],
        api_version="2.2",
        ex_force_auth_url=connection["url"].rpartition("/")[0],
        ex_force_auth_version="3.x_password",
        ex_tenant_name=LOGIN["project_name"],
        ex_force_service_region="RegionOne",
        ex_force_base_url=connection["services"] + "/compute/v2.1",
    )
    nodes = driver.list_nodes()
    return lambda: [node.id for node in nodes]


def keystoneauth1(connection: dict[str, Any]) -> Callable[[], Ids]:
    """A login and one page of servers."""
    from keystoneauth1.identity import v3
    from keystoneauth1.session import Session

    session = Session(auth=v3.Password(connection["url"], **LOGIN))
    answer = session.get("/servers/detail", endpoint_filter={"service_type": "compute"})
    servers = answer.json()["servers"]
    return lambda: [server["id"] for server in servers]


# --- NetBox -------------------------------------------------------------------------------------


def pynetbox(connection: dict[str, Any]) -> Callable[[], Ids]:
    import pynetbox

    devices = list(pynetbox.api(**connection).dcim.devices.all(limit=PAGE))
    return lambda: [str(device.id) for device in devices]


def pynetbox_circuits(connection: dict[str, Any]) -> Callable[[], Ids]:
    """Circuits, and the terminations that belong to them."""
    import pynetbox

    api = pynetbox.api(**connection)
    circuits = list(api.circuits.circuits.all(limit=PAGE))
    terminations = list(api.circuits.circuit_terminations.all(limit=PAGE))
    if len(terminations) != 2 * len(circuits):
        raise SystemExit(f"{len(terminations)} terminations of {len(circuits)} circuits")
    return lambda: [str(circuit.id) for circuit in circuits]


# --- Juju ---------------------------------------------------------------------------------------


def juju_client(connection: dict[str, Any]) -> Callable[[], Ids]:
    """The official client: the models, and each one's status."""
    import asyncio

    from juju.controller import Controller

    login = connection["credentials"]

    async def statuses() -> dict[str, Any]:
        controller, read = Controller(), {}
        await controller.connect(
            endpoint=login["endpoint"],
            username=login["username"],
            password=login["password"],
            cacert=login["ca_cert"],
        )
        for name in await controller.list_models():
            model = await controller.get_model(name)
            read[name] = await model.get_status()
            await model.disconnect()
        await controller.disconnect()
        return read

    read = asyncio.new_event_loop().run_until_complete(statuses())
    return lambda: [
        f"{model}:{unit}"
        for model, status in read.items()
        for application in status.applications.values()
        for unit in application.units
    ]


# --- the floor ----------------------------------------------------------------------------------


def floor(connection: dict[str, Any]) -> Callable[[], Ids]:
    """The requests of our handler once more, one after another; answers are decoded, and only ids kept."""
    import http.client
    import xml.etree.ElementTree as ElementTree

    tls = _tls(connection)
    links: dict[str, http.client.HTTPConnection] = {}
    ids: Ids = []
    for method, target, body, headers in connection["requests"]:
        host = headers["Host"]
        if host not in links:
            links[host] = (
                http.client.HTTPSConnection(host, context=tls)
                if tls
                else http.client.HTTPConnection(host)
            )
        links[host].request(method, target, body, headers)
        content = links[host].getresponse().read()
        if content.startswith(b"<"):
            tree = ElementTree.XML(content)  # which stands on expat
            if "Action=DescribeInstances&" in body:
                ids += [each.text or "" for each in tree.findall(INSTANCE_ID)]
        else:
            answer = json.loads(content)
            listed = answer.get("servers", [])
            if target.startswith(("/api/dcim/devices/", "/api/circuits/circuits/")):
                listed = answer["results"]
            ids += [str(each["id"]) for each in listed]
    return lambda: ids


INSTANCE_ID = "{*}reservationSet/{*}item/{*}instancesSet/{*}item/{*}instanceId"


def _tls(connection: dict[str, Any]) -> Any:
    """With the CAs loaded once."""
    if "ca" not in connection:
        return None
    import ssl

    import certifi

    return ssl.create_default_context(cafile=certifi.where())


CLIENTS: dict[str, Client] = {
    each.__name__: each
    for each in (
        *(ours_aws, ours_openstack, ours_netbox, ours_juju),
        *(
            boto3_count,
            boto3_load_balancers,
            boto3_same_calls,
            openstacksdk,
            libcloud,
            keystoneauth1,
            pynetbox,
            pynetbox_circuits,
            juju_client,
        ),
        floor,
        output_list,
    )
}
CLIENTS |= {
    f"{ours.__name__}_orjson": with_orjson(ours)
    for ours in (ours_openstack, ours_netbox, ours_juju)
}


def run(
    client: str, path: list[str], connection: dict[str, Any], keep_list: str = ""
) -> dict[str, Any]:
    sys.path[:0] = path
    note_first_response()
    if "ca" in connection:
        route(connection)
    ids_of = CLIENTS[client](connection)
    used, now = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    import hashlib

    ids = ids_of()
    if keep_list:
        write_list(keep_list)
    return {
        "cpu_s": used.ru_utime + used.ru_stime,
        "first_s": FIRST[0] if FIRST else None,
        "ended_at": now,
        "peak_mb": used.ru_maxrss / 1024,
        "count": len(ids),
        "digest": hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest(),
    }


if __name__ == "__main__":
    print(json.dumps(run(**json.load(sys.stdin))))
