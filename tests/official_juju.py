"""What the official Python client of Juju reads: run by its own Python (see tests/test_juju_official.py).

Arguments: endpoint, the CA's file. On stdin come the logins, as JSON: [[user, password, [model, ...]], ...]. Prints one JSON
object for each, in a list.
"""

import asyncio
import json
import sys

from juju.controller import Controller
from juju.errors import JujuAPIError


async def main(endpoint, ca_file):
    with open(ca_file) as file:
        ca = file.read()
    return [await seen_by(endpoint, ca, *login) for login in json.load(sys.stdin)]


async def seen_by(endpoint, ca, user, password, wanted):
    controller = Controller()
    try:
        await controller.connect(endpoint=endpoint, username=user, password=password, cacert=ca)
    except JujuAPIError as error:
        return {"error": error.message, "code": error.error_code}
    try:
        read = {name: await status_of(controller, name) for name in wanted}
        return {"models": sorted(await controller.list_models()), "read": read}
    finally:
        await controller.disconnect()


async def status_of(controller, name):
    model = await controller.get_model(name)
    try:
        unknown: set[str] = set()
        status = plain(await model.get_status(), unknown)
        return {"uuid": model.info.uuid, "status": status, "unknown": sorted(unknown)}
    finally:
        await model.disconnect()


def plain(value, unknown):
    """The client's objects by the names that the API has; which of them it does not know."""
    if hasattr(value, "serialize"):
        bag = getattr(value, "unknown_fields", None) or {}
        unknown.update(f"{type(value).__name__}.{name}" for name in bag)
        return plain({**value.serialize(), **bag}, unknown)
    if isinstance(value, dict):
        return {name: plain(each, unknown) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each, unknown) for each in value]
    return value


print(json.dumps(asyncio.new_event_loop().run_until_complete(main(*sys.argv[1:]))))
