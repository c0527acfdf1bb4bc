"""An inventory that changes while it is polled: what was there all the time is in the result exactly once.

Before each request things are created, deleted, renamed and moved to another place. Hypothesis draws what happens, and
shrinks it to the shortest story that loses something. The real code pages through it, one provider for each style:
markers (OpenStack), offsets (Manila), page tokens (AWS), cursors by id (NetBox). Their transport is replaced by stand-ins
that answer as these services do. Other providers list without pages.

A stand-in lists by what never changes in a record (its id, or when it was created), if the service does so by default
or if the request says so; otherwise by a place that changes. No client could prove completeness against a service
that moves records within an order that was requested.
"""

import json
import os
import types
from urllib.parse import parse_qs, urlencode, urlsplit

import botocore.client
import pytest
import requests
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from modules.appliances.openstack import shares
from shared.engine import gather
from shared.engine.contracts import Page
from shared.engine.deadline import Deadline
from shared.engine.errors import ConnectorError, UnexpectedResponse
from shared.engine.traffic import Traffic
from shared.providers import aws, netbox, openstack
from shared.providers.aws import paging
from shared.providers.openstack import listings
from tests.fakes import ec2
from tests.fakes.poll import a_poll

STEPS = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=int(os.environ.get("EXAMPLES", "60")),
    suppress_health_check=list(HealthCheck),
)
PLACES = st.integers(0, 5)
# What happens before a request. "forget": the record that the next page is requested by is deleted.
CHANGES = st.one_of(
    st.tuples(st.just("create"), PLACES),
    st.tuples(st.just("delete"), PLACES),
    st.tuples(st.just("rename"), PLACES),
    st.tuples(st.just("move"), PLACES, PLACES),
    st.tuples(st.just("forget")),
)
STORIES = st.lists(st.lists(CHANGES, max_size=3), max_size=16)
OVERTAKEN = [[], [("move", 3, 0), ("delete", 0)]]  # one place less, one more, and nothing shifts
SIZES = st.integers(1, 4)  # of a page: the service's own limit
COUNTS = st.integers(0, 8)  # of the records at the beginning


class Inventory:
    """Records in the order that never changes; ``places`` has their ids in the order that does."""

    def __init__(self, count, story):
        self.story = list(story)
        self.records, self.places = [], []
        self.ever = set()  # (id, name)
        self.numbers = iter(range(1, 1000))
        for _ in range(count):
            self.create(len(self.records))
        self.always = {record["id"] for record in self.records}

    def create(self, place):
        number = next(self.numbers)
        record = {"id": number, "name": f"name-{number}"}
        self.records.insert(min(place, len(self.records)), record)
        self.places.insert(min(place, len(self.places)), number)
        self.ever.add((number, record["name"]))

    def delete(self, place):
        if self.records:
            gone = self.records.pop(place % len(self.records))
            self.places.remove(gone["id"])
            self.always.discard(gone["id"])

    def rename(self, place):
        if self.records:
            record = self.records[place % len(self.records)]
            record["name"] += "'"
            self.ever.add((record["id"], record["name"]))

    def move(self, place, to):
        if self.places:
            self.places.insert(to, self.places.pop(place % len(self.places)))

    def advance(self, last):
        """What happens before a request; ``last`` is the record that the next page is requested by."""
        for what, *how in self.story.pop(0) if self.story else ():
            if what != "forget":
                getattr(self, what)(*how)
            elif last in self.ids():
                self.delete(self.ids().index(last))

    def ids(self):
        return [record["id"] for record in self.records]

    def moving(self):
        """The records in the order that changes."""
        by_id = {record["id"]: record for record in self.records}
        return [by_id[number] for number in self.places]


class Server:
    """A listing of the inventory. ``restarts``: how often a client could not continue."""

    def __init__(self, inventory, size, variant):
        self.inventory, self.size, self.variant = inventory, size, variant
        self.last, self.restarts = None, 0

    def advance(self):
        self.inventory.advance(self.last)

    def answer(self, request):
        """The response to a request of requests."""
        parts = urlsplit(request.url)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        status, body = self.json(query)
        response = requests.Response()
        response.status_code, response.request, response.url = status, request, request.url
        response.headers["Content-Type"] = "application/json"
        response._content = json.dumps(body).encode()
        return response

    def page(self, records, start):
        found = [dict(record) for record in records[start : start + self.size]]
        self.last = found[-1]["id"] if found else self.last
        return found


class Markers(Server):
    """Nova, Cinder, Neutron, ...: sorted by when records were created, or by id.

    ``variant`` is the answer to a marker that is gone: an error, the start of the list, or nothing.
    """

    def json(self, query):
        self.advance()
        ids = [str(number) for number in self.inventory.ids()]
        if "id" in query:
            self.restarts += query["id"] not in ids
            return 200, {"things": [{"id": name} for name in ids if name == query["id"]]}
        start = 0
        if "marker" in query and query["marker"] in ids:
            start = ids.index(query["marker"]) + 1
        elif "marker" in query:
            self.restarts += 1
            if self.variant == "refused":
                return 400, {"badRequest": {"message": "marker not found"}}
            if self.variant == "end":
                return 200, {"things": []}
        page = [
            {**record, "id": str(record["id"])}
            for record in self.page(self.inventory.records, start)
        ]
        body = {"things": page}
        if len(page) == self.size:
            link = urlencode({**query, "marker": page[-1]["id"]})
            body["things_links"] = [{"rel": "next", "href": f"https://elsewhere/things?{link}"}]
        return 200, body


class Offsets(Server):
    """Manila: by id only if that is requested. What it shows may be less than the limit."""

    def json(self, query):
        self.advance()
        fixed = query.get("sort_key") == "id"
        records = self.inventory.records if fixed else self.inventory.moving()
        page = self.page(records, int(query["offset"]))
        self.restarts += 1  # how a client counts is its own affair
        return 200, {"shares": [{**record, "id": str(record["id"])} for record in page]}


class Cursor(Server):
    """NetBox: the count and the page are two queries of its own, and things happen between them."""

    def json(self, query):
        def after():
            records = self.inventory.moving()
            if query.get("ordering") == "id":
                records.sort(key=lambda record: record["id"])
            return [record for record in records if record["id"] > int(query.get("id__gt", 0))]

        self.advance()
        count = len(after())
        self.advance()
        return 200, {"count": count, "next": None, "results": self.page(after(), 0)}


class Tokens(Server):
    """A service of AWS. ``variant``: what its token holds, and what happens when that is gone.

    "place": the last id, with which it continues even if that is gone; "refused": it refuses the token then;
    "snapshot": all that is left, as it was at the beginning. Pages may be empty and not the last.
    """

    def __init__(self, *given):
        super().__init__(*given)
        self.snapshots = {}
        self.requests = 0
        self.order = {}

    def call(self, client, operation, params):
        self.advance()
        self.requests += 1
        if self.variant == "snapshot":
            token = params.get("NextToken")
            left = self.snapshots.pop(token) if token else [dict(r) for r in self.inventory.records]
            return self._found(left[: self.size], left[self.size :], f"t{self.requests}")
        # positions of records that are gone are remembered: each one's place among those that were listed
        ids = self.inventory.ids()
        start = 0
        if "NextToken" in params:
            before = self.order[params["NextToken"]]
            if before[-1] not in ids and self.variant == "refused":
                self.restarts += 1
                raise ClientError({"Error": {"Code": "InvalidNextToken"}}, operation)
            start = max((ids.index(number) + 1 for number in before if number in ids), default=0)
        records = self.inventory.records
        if self.requests % 3 == 0 and "NextToken" in params:  # an empty page
            token = f"e{self.requests}"
            self.order[token] = self.order[params["NextToken"]]
            return {"Vpcs": [], "NextToken": token}
        page = self.page(records, start)
        token = f"t{self.requests}"
        self.order[token] = ids[: start + len(page)]
        return self._found(page, records[start + len(page) :], token)

    def _found(self, page, left, token):
        self.snapshots[token] = left
        return {"Vpcs": page, **({"NextToken": token} if left else {})}


# --- the real code that pages ---------------------------------------------------------------------


class Current:
    """The server of this example; sessions are made once."""

    server = None

    @classmethod
    def send(cls, adapter, request, **_):
        if request.url.endswith("/auth/tokens"):
            return _token(request)
        return cls.server.answer(request)

    @classmethod
    def call(cls, client, operation, params):
        return cls.server.call(client, operation, params)


def _token(request):
    catalog = [
        {
            "type": kind,
            "endpoints": [
                {"interface": "public", "region": "R", "url": f"http://cloud.example/{kind}"}
            ],
        }
        for kind in ("compute", "network", "sharev2")
    ]
    token = {
        "methods": ["password"],
        "user": {"id": "u", "name": "reader", "domain": {"id": "default"}},
        "project": {"id": "p", "name": "alpha", "domain": {"id": "default"}},
        "roles": [{"name": "reader"}],
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "issued_at": "2026-11-21T00:00:00.000000Z",
        "catalog": catalog,
    }
    response = requests.Response()
    response.status_code, response.request, response.url = 201, request, request.url
    response.headers.update({"Content-Type": "application/json", "X-Subject-Token": "invented"})
    response._content = json.dumps({"token": token}).encode()
    return response


@pytest.fixture(scope="module")
def scopes():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", lambda *of, **how: Current.send(*of))
        patch.setattr(botocore.client.BaseClient, "_make_api_call", lambda *of: Current.call(*of))
        made = {}
        credentials = {
            netbox: {"url": "http://netbox.example", "token": "invented"},
            aws: {"aws_access_key_id": ec2.KEY, "aws_secret_access_key": ec2.SECRET},
            openstack: {
                "auth_url": "http://cloud.example/v3",
                "username": "reader",
                "password": "invented",
                "project_name": "alpha",
            },
        }
        polls = []
        for provider, given_ in credentials.items():
            request = types.SimpleNamespace(options={})
            polls.append(a_poll("volumes", request=request, deadline=Deadline(600)))
            session = provider.PROVIDER.login(
                provider.PROVIDER.credentials(given_, False), polls[-1]
            )
            made[provider] = session
        yield {
            openstack: openstack.Scope("alpha/R", "R", made[openstack]),
            netbox: netbox.scopes(made[netbox])[0],
            aws: aws.Scope("us-east-1", made[aws]),
        }
        for poll in polls:
            poll.network.end()


def polled(provider, scope, pages):
    """The ids and names of what a poll has of these pages, and its error: as the engine collects them."""
    log = types.SimpleNamespace(mask=types.SimpleNamespace(excerpt=str))
    network = types.SimpleNamespace(ended=False)
    poll = types.SimpleNamespace(
        deadline=Deadline(600), network=network, log=log, traffic=Traffic()
    )
    cell = types.SimpleNamespace(record_ids=("id",))
    started = gather.Started(poll, None, provider.PROVIDER, cell, None)
    task = gather.Task(
        fetch=lambda scope: (Page(page, None) for page in pages),
        convert=lambda record, *_: [((str(record["id"]),), dict(record))],
        total=gather.Total(10_000),
        one_each=True,
    )
    answer = gather._poll_scope(started, task, scope)
    if answer.error:
        return [], answer.error
    results, _ = gather._merge([answer], True)
    return results, None


def check(inventory, outcome, server):
    found, error = outcome
    if error:
        # all that a client may do after so many restarts
        assert isinstance(error, UnexpectedResponse), error
        assert server.restarts > listings.RESTARTS, error
        event("failed as documented")
        return
    ids = [int(record["id"]) for record in found]
    assert sorted(set(ids)) == sorted(ids), "something is there twice"
    assert inventory.always <= set(ids), "something is lost"
    assert {(int(record["id"]), record["name"]) for record in found} <= inventory.ever
    event("complete")


def collected(provider, listed):
    """What is in a whole listing, as lookups read it, and its error."""
    try:
        found = listed()
    except ConnectorError as error:
        return [], error
    except Exception as error:
        return [], provider.PROVIDER.classify(error)
    return list(found.values()) if isinstance(found, dict) else found, None


@pytest.mark.parametrize(
    "service, variant",
    [("compute", "refused"), ("compute", "start"), ("network", "start"), ("network", "end")],
)
def test_markers(scopes, service, variant):
    """No service but Neutron answers a marker that is gone with nothing."""
    scope = scopes[openstack]

    @STEPS
    @given(COUNTS, SIZES, STORIES)
    def run(count, size, story):
        for whole in (False, True):
            inventory = Inventory(count, story)
            server = Current.server = Markers(inventory, size, variant)
            if whole:
                result = collected(
                    openstack, lambda: openstack.listed(scope, service, "/things", "things")
                )
            else:
                pages = openstack.pages(scope, service, "/things", "things")
                result = polled(openstack, scope, pages)
            check(inventory, result, server)

    run()


def test_markers_without_links(scopes):
    scope = scopes[openstack]

    @STEPS
    @given(COUNTS, SIZES, STORIES)
    def run(count, size, story):
        inventory = Inventory(count, story)
        server = Current.server = Markers(inventory, size, "refused")
        pages = openstack.pages(scope, "compute", "/things", "things", links=False)
        check(inventory, polled(openstack, scope, pages), server)

    run()


def test_offsets(scopes):
    """With the cell's own listing, since it is complete only in the order that it requests."""
    scope = scopes[openstack]

    @STEPS
    @given(COUNTS, st.integers(2, 4), STORIES)
    @example(4, 2, OVERTAKEN)  # which few would draw
    def run(count, size, story):
        inventory = Inventory(count, story)
        server = Current.server = Offsets(inventory, size, None)
        check(inventory, polled(openstack, scope, shares._pages(scope)), server)

    run()


def test_cursors_by_id(scopes):
    scope = scopes[netbox]

    @STEPS
    @given(COUNTS, SIZES, STORIES)
    def run(count, size, story):
        for whole in (False, True):
            inventory = Inventory(count, story)
            server = Current.server = Cursor(inventory, size, None)
            if whole:
                result = collected(netbox, lambda: netbox.listed(scope, "dcim/sites"))
            else:
                result = polled(netbox, scope, netbox.pages(scope, "dcim/sites"))
            assert result[1] is None  # whatever happens
            check(inventory, result, server)

    run()


@pytest.mark.parametrize("variant", ["place", "refused", "snapshot"])
def test_page_tokens(scopes, variant):
    scope = scopes[aws]
    listing = scope, "ec2", "describe_vpcs", "Vpcs"

    @STEPS
    @given(COUNTS, SIZES, STORIES)
    def run(count, size, story):
        for whole in (False, True):
            inventory = Inventory(count, story)
            server = Current.server = Tokens(inventory, size, variant)
            if whole:
                result = collected(aws, lambda: aws.listed(*listing))
            else:
                result = polled(aws, scope, paging.pages(*listing))
            check(inventory, result, server)

    run()
