"""Stitching: which resources of different accounts are one thing, or two ends of one link, and by which evidence.

What proves it, the surest first:

- **id**: one account names an id that another one has. Certain for ids that are unique in the world (UUIDs, ARNs, AWS's
  ids, and whatever contains a UUID), weak for short ones, which another account may use for something else.
- **instance-id**: a Juju machine names the server that it is.
- **reference**: two circuits have the same reference, or one has the other's id as its reference.
- **mac**, **address**: two resources have the same one. A private address proves nothing by itself, since every cloud has
  its own 10.0.0.5: they must be in the same network too, or have the same name.
- **member**, **peer**: a load balancer or a VPN names an address that a resource of another account has.
- **endpoint**: a circuit's end names a device, or two circuits end at the same ports.

What looks like one link, but is not proven, is a problem: ``unproven``, or ``ambiguous`` if it fits several.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Callable, NamedTuple, Optional

from topology.model import CERTAIN, LIKELY, WEAK, Evidence, Key, Node, Problem

INSTANCE, MAC, REFERENCE, ADDRESS, MEMBER, ENDPOINT = (
    "instance-id",
    "mac",
    "reference",
    "address",
    "member",
    "endpoint",
)
Pairs = Callable[[], Iterator[tuple[int, int]]]  # of linked nodes
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_UNIQUE = re.compile(rf".*{_UUID}.*|arn:.+|[a-z]+-[0-9a-f]{{8}}|[a-z]+-[0-9a-f]{{17}}", re.DOTALL)
_SPEAKING = re.compile(r"(?=.*[A-Za-z])(?=.*\d).{6,}", re.DOTALL)
_PORT = re.compile(r"(?:.*\()?([^\s()]+) ([^\s()]+)\)?", re.DOTALL)
_SURE = {CERTAIN: 0, LIKELY: 1, WEAK: 2}
_PRIVATE = [
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
]
ENDS = frozenset({"appliance", "firewall", "host", "load_balancer", "router", "server", "switch"})


class Fact(NamedTuple):
    """What a resource says of itself. ``what``: one of the names above."""

    key: Key
    what: str
    value: str


class Claim(NamedTuple):
    """Two nodes that are linked. ``same``: they are one thing."""

    one: int
    other: int
    evidence: Evidence
    same: bool = False


def rank(claim: Claim) -> tuple[int, bool, Evidence]:
    """The smallest is the best evidence for a pair."""
    return _SURE[claim.evidence.sure], not claim.same, claim.evidence


def is_unique(id: str) -> bool:
    """Whether nothing else in the world has this id."""
    return _UNIQUE.fullmatch(id) is not None


def of_id(id: str) -> Evidence:
    return Evidence("id", id, CERTAIN if is_unique(id) else WEAK)


def is_private(address: str) -> bool:
    """Whether others may use it too. Addresses of documentation count as public."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    return any(found in network for network in _PRIVATE)


def port_of(endpoint: str) -> Optional[tuple[str, str]]:
    """The device and its port: of ``kobe (sw-kobe p1)``, sw-kobe and p1."""
    found = _PORT.fullmatch(endpoint.strip())
    return (found[1].casefold(), found[2].casefold()) if found else None


def same_ids(nodes: list[Node]) -> Iterator[Claim]:
    """What two accounts see of one thing, such as a shared network."""
    if len({node.account for node in nodes}) < 2:
        return
    first: dict[str, int] = {}
    for number, node in enumerate(nodes):
        known = first.setdefault(node.id, number)
        if known != number and nodes[known].type == node.type and is_unique(node.id):
            yield Claim(known, number, of_id(node.id), same=True)


class _Facts:
    """Facts by what they say, and nodes by what they are found by."""

    def __init__(
        self,
        nodes: list[Node],
        numbers: Mapping[Key, int],
        pairs: Pairs,
        facts: Iterable[Fact],
        problems: list[Problem],
    ):
        self.nodes, self.pairs, self.problems = nodes, pairs, problems
        self.of: dict[str, list[tuple[int, str]]] = {}
        self.by: dict[str, dict[str, list[int]]] = {}
        for fact in sorted(set(facts)):
            number = numbers.get(fact.key)
            if number is not None:
                self.of.setdefault(fact.what, []).append((number, fact.value))
                self.by.setdefault(fact.what, {}).setdefault(fact.value, []).append(number)
        self._networks: Optional[dict[int, set[object]]] = None

    def having(self, what: str, value: str, other: int) -> list[int]:
        """The nodes of other accounts that have it."""
        account = self.nodes[other].account
        found = self.by.get(what, {}).get(value, ())
        return [number for number in found if self.nodes[number].account != account]

    def problem(self, what: str, source: int, value: str, reason: str, found: list[int]) -> None:
        node = self.nodes[source]
        keys = tuple(self.nodes[number].key for number in found)
        self.problems.append(Problem(what, node.key, node.type, value, reason, keys))

    def networks(self, number: int) -> set[object]:
        """The networks of a node; what two accounts see of one network is the same."""
        if self._networks is None:
            self._networks = {}
            for pair in self.pairs():
                for one, other in (pair, pair[::-1]):
                    node = self.nodes[other]
                    if node.type == "network":
                        name = node.id if is_unique(node.id) else node.key
                        self._networks.setdefault(one, set()).add(name)
        return self._networks.get(number, set())


def by_facts(
    nodes: list[Node],
    numbers: Mapping[Key, int],
    pairs: Pairs,
    facts: Iterable[Fact],
    problems: list[Problem],
) -> Iterator[Claim]:
    """Claims that facts prove; what they do not prove is added to the problems. ``pairs``: nodes that are linked."""
    known = _Facts(nodes, numbers, pairs, facts, problems)
    if not known.of:
        return
    yield from _instances(known)
    yield from _references(known)
    yield from _alike(known, MAC)
    yield from _alike(known, ADDRESS)
    yield from _members(known)
    yield from _endpoints(known)


def _instances(known: _Facts) -> Iterator[Claim]:
    wanted = {value for _, value in known.of.get(INSTANCE, ())}
    servers: dict[str, list[int]] = {}
    for number, node in enumerate(known.nodes):
        if node.type == "server" and node.id in wanted:
            servers.setdefault(node.id, []).append(number)
    for number, value in known.of.get(INSTANCE, ()):
        found = [other for other in servers.get(value, ()) if other != number]
        if not found and is_unique(value):
            reason = "no account has the server with this instance id"
            problem = Problem("dangling", known.nodes[number].key, "server", value, reason)
            known.problems.append(problem)
        elif len(found) > 1 and not is_unique(value):
            known.problem("ambiguous", number, value, "several servers have this id", found)
        elif found:
            sure = CERTAIN if is_unique(value) else WEAK
            yield Claim(number, found[0], Evidence(INSTANCE, value, sure), same=True)


def _references(known: _Facts) -> Iterator[Claim]:
    wanted = {value for _, value in known.of.get(REFERENCE, ())}
    by_id: dict[str, list[int]] = {}
    for number, node in enumerate(known.nodes):
        if node.type == "circuit" and node.id in wanted:
            by_id.setdefault(node.id, []).append(number)
    for number, value in known.of.get(REFERENCE, ()):
        if not is_unique(value) and not _SPEAKING.fullmatch(value):
            continue  # "1", "10100", "backup": anyone may number circuits so
        account = known.nodes[number].account
        others = [each for each in by_id.get(value, ()) if known.nodes[each].account != account]
        found = sorted({*known.having(REFERENCE, value, number), *others})
        evidence = Evidence(REFERENCE, value, CERTAIN if is_unique(value) else LIKELY)
        yield from _one_an_account(known, number, found, evidence)


def _one_an_account(
    known: _Facts, number: int, found: list[int], evidence: Evidence, same: Optional[bool] = None
) -> Iterator[Claim]:
    """A claim for each account in which one resource fits; where several do, none is meant for sure."""
    by_account: dict[str, list[int]] = {}
    for other in found:
        by_account.setdefault(known.nodes[other].account, []).append(other)
    for account, others in by_account.items():
        if len(others) > 1:
            reason = f"{len(others)} resources of {account} have this {evidence.what}"
            known.problem("ambiguous", number, evidence.value, reason, others)
            continue
        kinds = {known.nodes[each].kind for each in (number, others[0])}
        is_same = len(kinds) == 1 if same is None else same
        yield Claim(number, others[0], evidence, is_same)


def _shared(
    known: _Facts, value: str, numbers: list[int], prove: Callable[[int, int], Optional[Evidence]]
) -> Iterator[Claim]:
    """Claims of resources that share something: one an account; where an account has several, none is meant for sure."""
    by_account: dict[str, list[int]] = {}
    for number in numbers:
        by_account.setdefault(known.nodes[number].account, []).append(number)
    if len(by_account) < 2:
        return
    first, *others = by_account.values()
    for found in others:
        if len(first) > 1 or len(found) > 1:
            reason = f"{len(first)} and {len(found)} resources of two accounts share it"
            known.problem("ambiguous", first[0], value, reason, sorted([*first[1:], *found]))
            continue
        evidence = prove(first[0], found[0])
        if evidence is None:
            reason = "both have this private address, which proves nothing by itself"
            known.problem("unproven", first[0], value, reason, found)
        else:
            is_same = known.nodes[first[0]].kind == known.nodes[found[0]].kind
            yield Claim(first[0], found[0], evidence, is_same)


def _alike(known: _Facts, what: str) -> Iterator[Claim]:
    """Resources of different accounts with the same MAC or address."""
    for value, numbers in known.by.get(what, {}).items():

        def prove(one: int, other: int, value: str = value) -> Optional[Evidence]:
            return _proof(known, what, value, one, other)

        yield from _shared(known, value, numbers, prove)


def _proof(known: _Facts, what: str, value: str, one: int, other: int) -> Optional[Evidence]:
    if what == MAC or not is_private(value):
        return Evidence(what, value, LIKELY)
    if known.networks(one) & known.networks(other):
        return Evidence("address in the same network", value, LIKELY)
    name = known.nodes[one].name
    if name.casefold() == known.nodes[other].name.casefold():
        return Evidence("address and name", f"{value}, {name}", LIKELY)
    return None


def _members(known: _Facts) -> Iterator[Claim]:
    """Addresses that a load balancer or a VPN names, and something in another account has."""
    for number, value in known.of.get(MEMBER, ()):
        found = known.having(ADDRESS, value, number)
        if found and is_private(value):
            reason = "it names this private address, which proves nothing by itself"
            known.problem("unproven", number, value, reason, found)
        elif found:
            evidence = Evidence(MEMBER, value, LIKELY)
            yield from _one_an_account(known, number, found, evidence, same=False)


def _endpoints(known: _Facts) -> Iterator[Claim]:
    ports: dict[int, list[tuple[str, str]]] = {}
    for number, value in known.of.get(ENDPOINT, ()):
        port = port_of(value)
        if port is not None:
            ports.setdefault(number, []).append(port)
    devices = {device for each in ports.values() for device, _ in each}
    named: dict[str, list[int]] = {}
    for number, node in enumerate(known.nodes):
        if node.kind in ENDS and node.name.casefold() in devices:
            named.setdefault(node.name.casefold(), []).append(number)
    for number, each in ports.items():
        account = known.nodes[number].account
        for device, name in each:
            found = [n for n in named.get(device, ()) if known.nodes[n].account != account]
            evidence = Evidence(ENDPOINT, f"{device} {name}", LIKELY)
            yield from _one_an_account(known, number, found, evidence, same=False)
    yield from _same_ports(known, ports)


def _same_ports(known: _Facts, ports: Mapping[int, list[tuple[str, str]]]) -> Iterator[Claim]:
    """Circuits of different accounts that have the same two ends."""
    by_ends: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for number, ends in ports.items():
        if len(set(ends)) == 2:
            by_ends.setdefault(tuple(sorted(set(ends))), []).append(number)
    for both, numbers in by_ends.items():
        evidence = Evidence(ENDPOINT, " - ".join(map(" ".join, both)), LIKELY)

        def prove(one: int, other: int, evidence: Evidence = evidence) -> Optional[Evidence]:
            return evidence

        yield from _shared(known, evidence.value, numbers, prove)
