"""The REST service in this process: what its tests share."""

import atexit
import contextlib
import datetime
import functools
import shutil
import tempfile
import warnings
from pathlib import Path

from inventory import Inventory
from tests.inventories import UTC, store_example

BASE = "/api/v1"
HERE = "http://127.0.0.1"
EVERY_SCOPE = ("read:inventory", "write:snapshots", "write:views", "run:polls")
OTHERS = ("demo-openstack", "demo-netbox", "demo-juju", "demo-osm", "demo-tapi", "demo-ietf_l2vpn")


@functools.cache
def _example():
    folder = Path(tempfile.mkdtemp(prefix="cmp-serving-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store_example(folder / "shop.db")
    return folder / "shop.db"


def copy_example(folder):
    """The file of an inventory with two accounts, shop and lab: see tests/inventories.py."""
    return Path(shutil.copy(_example(), folder / "shop.db"))


class Clock:
    """A time that tests set; ``now`` is what the service asks."""

    def __init__(self):
        self.time = datetime.datetime.now(UTC)

    def now(self):
        return self.time

    def passes(self, **duration):
        self.time += datetime.timedelta(**duration)


@contextlib.contextmanager
def service(file, folder, **settings):
    """A client of a service over the inventory in the file; ``client.tokens`` are its tokens, ``client.log`` its log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Starlette, which would like another httpx
        from fastapi.testclient import TestClient

    from web.app import create
    from web.service import Settings
    from web.tokens import Tokens

    log = []
    tokens = settings.pop("tokens", None) or Tokens(folder / "tokens.json")
    with Inventory(file) as inventory:
        given = {"version": "1", "log": log.append, **settings}
        app = create(Settings(inventory, tokens, folder / "views.json", **given))
        client = TestClient(app, base_url=HERE, raise_server_exceptions=False)
        client.headers = {"host": "127.0.0.1", "accept": "*/*"}
        client.tokens, client.log, client.inventory, client.service = (
            tokens,
            log,
            inventory,
            app.service,
        )
        with client:
            yield client


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def operations(client):
    """(method, path template) of each operation that the service describes."""
    paths = client.get(f"{BASE}/openapi.json").json()["paths"]
    return {
        (method.upper(), path): each for path, of in paths.items() for method, each in of.items()
    }
