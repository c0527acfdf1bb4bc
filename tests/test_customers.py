"""Polls of many customers in one process: none leaves anything behind, and none gets anything of another one.

Of each provider all customers use the same server, and what they get contains their mark (tests/fakes/customers.py).
`make test-long` polls 1,000 times.
"""

import contextlib
import gc
import importlib
import json
import logging
import os
import random
import resource
import socket
import sys
import threading
import types

import pytest

from shared.engine import gather
from shared.engine.errors import ConnectorError
from tests.fakes.context import Context
from tests.fakes.customers import World
from tests.faults.matrix import _sockets

POLLS = int(os.environ.get("POLLS", "240"))
EVENTS = 50
SEED = os.environ.get("SEED") or str(random.SystemRandom().randrange(10**6))
HANDLERS = ("get", "get", "get_status", "validate_credentials")
PATIENCE_S = 20.0  # for a thread that ends at once, or would never
HUNG_S = 0.1  # the deadline of a poll whose server hangs
BLOCKS_A_POLL = 10  # of memory, which caches may take; the objects of a poll are thousands
KIB_MORE = 16 * 1024


@pytest.fixture(scope="module")
def world():
    with World(9) as made:
        yield made


def call(handler, customer, event, context):
    """The answer, or the documented error."""
    main = importlib.import_module(f"modules.{customer.family}.main")
    try:
        return getattr(main, handler)(event, context)
    except ConnectorError as error:
        return error


def shown(answer):
    if isinstance(answer, BaseException):
        return f"{type(answer).__name__}: {answer}"
    return json.dumps(answer)


# --- side by side ---------------------------------------------------------------------------------


def with_secrets_in_the_url(event, own, other):
    """An account whose URL is wrong: the error shows it, with this account's secret masked and no other."""
    path = f"/{own.mark}/{other.secret}-{own.secret}"
    credentials = event["credentials"]
    name = next(name for name in ("url", "auth_url", "endpoint_url") if name in credentials)
    credentials = {**credentials, name: f"{credentials[name]}{path}"}
    return {**event, "credentials": credentials}


def test_customers_side_by_side_share_nothing(world, monkeypatch):
    poll_scope = gather._poll_scope

    def with_a_warning(started, task, scope):
        """A library's warning in the thread of a scope."""
        logging.getLogger("urllib3").warning("retry of %s", started.poll.request.account_id)
        return poll_scope(started, task, scope)

    monkeypatch.setattr(gather, "_poll_scope", with_a_warning)
    print(f"SEED={SEED}")
    choice = random.Random(SEED)
    events = []
    for customer in choice.sample(world.customers, EVENTS):
        other = choice.choice([each for each in world.customers if each is not customer])
        event, wrong = world.event(customer), choice.random() < 0.3
        if wrong and customer.provider != "juju":  # which has no path in its address
            event = with_secrets_in_the_url(event, customer, other)
        events.append((choice.choice(HANDLERS), customer, other, event, Context()))
    answers = {}
    begin = threading.Barrier(EVENTS)

    def run(number, handler, customer, event, context):
        begin.wait()
        answers[number] = call(handler, customer, event, context)

    threads = [
        threading.Thread(target=run, args=(number, handler, customer, event, context))
        for number, (handler, customer, _, event, context) in enumerate(events)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == list(range(EVENTS))
    for number, (handler, customer, other, event, context) in enumerate(events):
        check(world, handler, customer, other, event, context, answers[number])


def check(world, handler, customer, other, event, context, answer):
    about = f"SEED={SEED} {handler} of {customer.mark}"
    lines, state = "\n".join(context.lines), json.dumps(context.state)
    everything = "\n".join([shown(answer), lines, state, json.dumps(context.headers)])
    wrong = event["credentials"] != world.credentials(customer)
    assert isinstance(answer, ConnectorError) <= wrong, about
    for each in world.customers:
        assert each is customer or each.mark not in everything, f"{about} has {each.mark}"
        if each is not other or not wrong:
            assert each.secret not in everything, f"{about} has a secret of {each.mark}"
    for line in context.lines:
        assert f"customer: customer-{customer.mark},account: account-{customer.mark}," in line, (
            about
        )
    for key in context.state:
        assert f"account-{customer.mark}" in key, about
    if f"/{customer.mark}/" in shown(answer):  # a URL
        assert f"/{customer.mark}/{other.secret}-***" in shown(answer), about
    if handler == "get" and not isinstance(answer, ConnectorError):
        assert len(answer) >= 1, about
        assert all(customer.mark in json.dumps(resource) for resource in answer), about
    if handler == "get" and not wrong:
        assert f"retry of account-{customer.mark}" in lines, about


# --- one after another ----------------------------------------------------------------------------


@contextlib.contextmanager
def addresses():
    """Of a server that accepts connections and says nothing, and of none."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as hung:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = closed.getsockname()[1]
        yield types.SimpleNamespace(hung=hung.getsockname()[1], nobody=nobody)


def elsewhere(event, port):
    """The event, with its server at another port."""
    credentials = dict(event["credentials"])
    for name in ("url", "auth_url", "endpoint_url"):
        if name in credentials:
            scheme, _, rest = credentials[name].partition("://")
            _, slash, path = rest.partition("/")
            credentials[name] = f"{scheme}://127.0.0.1:{port}{slash}{path}"
    if "endpoint" in credentials:
        credentials["endpoint"] = f"127.0.0.1:{port}"
    return {**event, "credentials": credentials}


def poll_once(world, customer, kind, at):
    event = world.event(customer)
    credentials = event["credentials"]
    if kind == "refused":
        names = [name for name in ("password", "token") if name in credentials]
        credentials.update(dict.fromkeys(names or ["aws_secret_access_key"], "wrong"))
    elif kind != "good":
        event = {**elsewhere(event, getattr(at, kind)), "options": {"deadline_s": HUNG_S}}
    answer = call("get", customer, event, Context())
    assert isinstance(answer, ConnectorError) == (kind != "good"), f"{kind}: {answer}"


def in_use(threads):
    """Blocks of memory, most memory ever (KiB), and sockets, once all threads besides these have ended."""
    for thread in set(threading.enumerate()) - threads:  # the servers' end with their connections
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"{thread.name} outlives its poll"
    gc.collect()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return sys.getallocatedblocks(), most, _sockets()


def test_polls_leave_nothing_behind(world):
    """Of each provider: good polls, refused ones, and such whose server hangs or is not there."""
    mixed = [
        (customer, kind)
        for kind in ("good", "good", "refused", "hung", "nobody")
        for customer in world.customers[:: world.each]
    ]
    threads = set(threading.enumerate())
    measured = []
    with addresses() as at:
        while len(mixed) * len(measured) < POLLS:
            for customer, kind in mixed:
                poll_once(world, customer, kind, at)
            world.forget()
            measured.append(in_use(threads))
    settled = measured[len(measured) // 2 :]  # caches are full
    (blocks, most, sockets), last = settled[0], settled[-1]
    polls = len(mixed) * (len(settled) - 1)
    print(
        f"{len(mixed) * len(measured)} polls; in the last {polls}: {last[0] - blocks} of {blocks} blocks of memory, "
        f"{last[1] - most} KiB and {last[2] - sockets} sockets more"
    )
    assert last[0] - blocks < BLOCKS_A_POLL * polls
    assert last[1] - most < KIB_MORE
    assert {each for _, _, each in measured} == {sockets}
