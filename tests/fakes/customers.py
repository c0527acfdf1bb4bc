"""Customers of all providers: each provider is one server, whose inventory depends on who logs in.

What belongs to a customer contains its mark: so whatever it gets of another one is seen. Two customers of a provider
differ in nothing but their credentials: address, region, project and ids are the same where the provider allows it.
"""

import base64
import contextlib
import dataclasses
import json
import threading
from typing import Any

from tests.fakes import ec2, juju, netbox, openstack, osm, tapi

REGION = "us-east-1"
PROVIDERS = ("aws", "juju", "netbox", "openstack", "osm", "tapi")
FAMILIES = {"juju": "servers", "osm": "vca_status", "tapi": "wan_links"}


@dataclasses.dataclass(frozen=True)
class Customer:
    """``secret`` is the credential that must not come out."""

    provider: str
    number: int

    @property
    def family(self) -> str:
        return FAMILIES.get(self.provider, "volumes")

    @property
    def mark(self) -> str:
        return f"mark-{self.provider}-{self.number:03d}-of"

    @property
    def secret(self) -> str:
        return f"Canary{self.number:03d}{self.provider}Secret"


class World:
    """The servers of so many customers a provider."""

    def __init__(self, each: int):
        self.each = each
        self.customers = [Customer(p, n) for p in PROVIDERS for n in range(each)]
        self._stack = contextlib.ExitStack()
        self._servers: dict[str, Any] = {}
        self._of = {
            provider: {c.mark: c for c in self.customers if c.provider == provider}
            for provider in PROVIDERS
        }
        self._netbox(), self._openstack(), self._osm(), self._tapi(), self._aws(), self._juju()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def forget(self) -> None:
        """What the servers remember of requests: otherwise their memory would grow."""
        for name in ("requests", "queries", "headers_seen", "tokens", "counts", "calls", "asked"):
            for provider, server in self._servers.items():
                if (provider, name) != ("netbox", "tokens"):
                    getattr(server, name, {}).clear()
        juju.WRONG_PASSWORD.__traceback__ = (
            None  # raised again and again, it would keep all connections
        )

    def event(self, customer: Customer) -> dict[str, Any]:
        return {
            "account_id": f"account-{customer.mark}",
            "customer_id": f"customer-{customer.mark}",
            "provider": customer.provider,
            "credentials": self.credentials(customer),
        }

    def credentials(self, customer: Customer) -> dict[str, Any]:
        server, name, secret = self._servers[customer.provider], customer.mark, customer.secret
        if customer.provider == "netbox":
            return {"url": server.url, "token": secret}
        if customer.provider == "aws":
            key = {"aws_access_key_id": _key(customer), "aws_secret_access_key": secret}
            return {**key, "endpoint_url": server.url}
        if customer.provider == "openstack":
            return server.credentials(name, password=secret)
        if customer.provider == "juju":
            return server.credentials(name, password=secret)
        given = {"url": server.url, "username": name, "password": secret}
        return {**given, "project": f"project-{name}"} if customer.provider == "osm" else given

    def _add(self, provider: str, server: Any) -> Any:
        self._servers[provider] = server
        self._stack.callback(server.stop)
        return server

    def _netbox(self) -> None:
        tokens = {c.secret: c for c in self._of["netbox"].values()}

        class NetBox(netbox.NetBox):
            def _answer(self, request: Any, path: str, query: Any) -> Any:
                customer = tokens.get(request.headers["Authorization"].partition(" ")[2])
                disks = self.lists["virtualization/virtual-disks"]
                disks[:] = [{**disk, "name": customer and customer.mark} for disk in disks]
                return super()._answer(request, path, query)

        server = self._add("netbox", NetBox().fill(machines=2))
        server.tokens = dict.fromkeys(tokens)

    def _openstack(self) -> None:
        class Cloud(openstack.Cloud):
            def _resource(
                self, service: str, rest: str, query: Any, user: str, version: Any
            ) -> Any:
                volumes = [openstack.volume(n, name=f"{user} {n}") for n in range(2)]
                self.lists["volume", "volumes"] = volumes
                return super()._resource(service, rest, query, "reader", version)

        server = self._add("openstack", Cloud())
        server.passwords = {c.mark: c.secret for c in self._of["openstack"].values()}

    def _osm(self) -> None:
        server = self._add("osm", osm.Osm("main"))
        for customer in self._of["osm"].values():
            project = f"project-{customer.mark}"
            server.project(project)
            server.user(customer.mark, customer.secret, **{project: "project_user"})
            server.add("ns_instances", _ns(customer), project)

    def _tapi(self) -> None:
        of = self._of["tapi"]
        here = threading.local()

        class Tapi(tapi.Tapi):
            def _answer(self, path: str, authorization: str) -> Any:
                given = base64.b64decode(authorization.partition(" ")[2]).decode()
                name, _, password = given.partition(":")
                if name not in of or of[name].secret != password:
                    return 401, {}
                here.name = name
                pair = f"{tapi.restconf.USER}:{tapi.restconf.PASSWORD}".encode()
                return super()._answer(path, f"Basic {base64.b64encode(pair).decode()}")

            def data(self) -> Any:
                return json.loads(json.dumps(super().data()).replace("MARK", here.name))

        server = self._add("tapi", Tapi())
        ends = [server.point(f"MARK {n}") for n in range(2)]
        server.service(*ends, name=[{"value-name": "SERVICE_NAME", "value": "MARK"}])

    def _aws(self) -> None:
        here = threading.local()
        records = {
            _key(c): {REGION: {"DescribeVolumes": [_volume(c, n) for n in range(2)]}}
            for c in self._of["aws"].values()
        }

        class Cloud(ec2.Cloud):
            def fault_of(self, region: str, operation: str, key: str) -> Any:
                here.key = key
                return super().fault_of(region, operation, key)

            @property
            def records(self) -> Any:
                return records[here.key]

            @records.setter
            def records(self, _: Any) -> None:
                pass

            def stop(self) -> None:
                self.__exit__()

        server = self._add("aws", Cloud({}).__enter__())
        server.accounts = {_key(c): (c.secret, None) for c in self._of["aws"].values()}

    def _juju(self) -> None:
        of = self._of["juju"]
        models = [juju.Model(f"m-{name}", owner=name, contents=juju.vnf()) for name in of]
        server = self._add("juju", juju.Controller("3.6", models))
        server.passwords = {c.mark: c.secret for c in of.values()}


def _key(customer: Customer) -> str:
    return f"AKIAINVENTED{customer.number:08d}"


def _volume(customer: Customer, number: int) -> dict[str, Any]:
    return ec2.volume(number, Tags=[{"Key": "Name", "Value": f"{customer.mark} {number}"}])


def _ns(customer: Customer) -> dict[str, Any]:
    """An NS with one application in its model."""
    unit = {
        "workload_status": _status("active"),
        "agent_status": _status("idle"),
        "machine": "0",
    }
    application = {"charm": "", "status": _status("active"), "units": {"app/0": unit}}
    full = {"applications": {f"app-{customer.mark}": application}, "machines": {}}
    return {
        "_id": f"ns-{customer.mark}",
        "name": customer.mark,
        "nsState": "READY",
        "vcaStatus": {f"ns-{customer.mark}": full},
        "configurationStatus": [],
    }


def _status(word: str) -> dict[str, Any]:
    return {"status": word, "info": "", "since": "2026-11-20T12:00:00+00:00"}
