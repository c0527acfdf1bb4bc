"""Reads mapping.yaml, which says how a provider's metrics become CMP's.

It is in nflex-connector-utils' format and evaluated by its parser. Loading it refuses what that parser would
ignore: an expression that it can't parse (it would leave the value unconverted), a service that no cell reads, a
variable that the service never provides, a missing unit.

Only ``metrics.of`` imports this file, when a metric is first needed: the parser needs pyparsing, which
other polls start without (shared/engine/nflex.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import yaml
from nflex_connector_utils import parser as nflex

from shared.records.metrics import Metric

# Two folders up, both in the checkout and in a built module's lib.
MAPPING = Path(__file__).resolve().parents[2] / "mapping.yaml"

# What an expression may use besides ``value``. All of them are above 0.
VARIABLES = {
    "period": "seconds that the point covers",
    "vcpus": "the server's cores",
    "memory": "the server's memory in bytes",
}
# The services whose metrics the cells read (``of``), and which of the variables they provide with the points. A test
# compares this with the cells; it can't be derived, since a built module does not contain all of them.
_OF_A_POINT, _OF_A_SERVER = frozenset({"period"}), frozenset({"vcpus", "memory"})
SERVICES: Mapping[str, "frozenset[str]"] = {
    "aws.applicationelb": _OF_A_POINT,
    "aws.applicationelb_targets": _OF_A_POINT,
    "aws.dx": _OF_A_POINT,
    "aws.dx_bgp": _OF_A_POINT,
    "aws.dx_interface": _OF_A_POINT,
    "aws.dx_lane": _OF_A_POINT,
    "aws.ebs": _OF_A_POINT,
    "aws.ec2": _OF_A_POINT,
    "aws.efs": _OF_A_POINT,
    "aws.efs_storage": _OF_A_POINT,
    "aws.elb": _OF_A_POINT,
    "aws.gatewayelb": _OF_A_POINT,
    "aws.gatewayelb_targets": _OF_A_POINT,
    "aws.natgateway": _OF_A_POINT,
    "aws.networkelb": _OF_A_POINT,
    "aws.networkelb_targets": _OF_A_POINT,
    "aws.networkfirewall": _OF_A_POINT,
    "aws.transitgateway": _OF_A_POINT,
    "aws.vpn": _OF_A_POINT,
    "aws.vpn_tunnel": _OF_A_POINT,
    "openstack.gnocchi": _OF_A_SERVER,
    "openstack.nova": _OF_A_SERVER,
}
UNITS = frozenset({"percent", "B", "B/s", "b/s", "count", "count/s", "s", "Hz", "dBm"})
STATISTICS = frozenset({"Average", "Maximum", "Minimum", "SampleCount", "Sum"})  # CloudWatch's

_KEYS = {"name": str, "unit": str, "counter": bool, "specialisation": str}
_KEYS.update({"conversion_expr": str, "statistic": str})


class MappingError(ValueError):
    """An entry of the mapping is wrong; the message names its key."""


def load(file: Path) -> dict[str, Metric]:
    """The metrics in a mapping file, by key. Raises MappingError naming the key that is wrong."""
    with open(file, encoding="utf-8") as opened:
        try:
            entries = yaml.load(opened, _Once)  # noqa: S506 - a SafeLoader
        except yaml.YAMLError as error:
            raise MappingError(f"{file.name}: {error}") from None
    if not isinstance(entries, dict) or not entries:
        raise MappingError(f"{file.name} should be an object with entries")
    parser = nflex.SimpleExpressionParser()
    parsed: dict[str, Any] = {}  # most entries have one of a few expressions
    return {key: _metric(key, entry, parser, parsed) for key, entry in entries.items()}


def _metric(key: Any, entry: Any, parser: Any, parsed: "dict[str, Any]") -> Metric:
    if not isinstance(key, str) or len([part for part in key.split(".", 2) if part]) < 3:
        raise MappingError(f"{key!r} should be <provider>.<service>.<metric>")
    service = ".".join(key.split(".", 2)[:2])
    if service not in SERVICES:
        raise MappingError(f"{key}: no cell reads {service!r}; {_nearest(service, SERVICES)}")
    if not isinstance(entry, Mapping):
        raise MappingError(f"{key} should be an object")
    for name, value in entry.items():
        if name not in _KEYS:
            raise MappingError(f"{key}: {name!r} is unknown; known are {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[name]) or value == "":
            raise MappingError(f"{key}: {name!r} should be {_WORDS[_KEYS[name]]}")
    for name in ("name", "unit"):
        if name not in entry:
            raise MappingError(f"{key}: {name!r} is missing")
    _one_of(key, "unit", entry["unit"], UNITS)
    if key.startswith("aws."):
        _one_of(key, "statistic", entry.get("statistic"), STATISTICS)
    expression = entry.get("conversion_expr")
    conversion = None
    if expression is not None:
        if expression not in parsed:
            parsed[expression] = parser.parse(expression)
        conversion = parsed[expression]
        if conversion is None:
            raise MappingError(f"{key}: conversion_expr {expression!r} can't be parsed")
    return Metric(
        key=key,
        name=entry["name"],
        unit=entry["unit"],
        counter=entry.get("counter", False),
        statistic=entry.get("statistic"),
        variables=_variables(key, service, expression, conversion),
        entry=nflex.ParsedEntry(
            name=entry["name"],
            unit=entry["unit"],
            counter=entry.get("counter", False),
            specialisation=entry.get("specialisation", ""),
            conversion=conversion,
        ),
    )


_WORDS = {str: "text", bool: "true or false"}


def _one_of(key: str, name: str, value: Any, known: "frozenset[str]") -> None:
    if value not in known:
        problem = "missing" if value is None else f"{value!r}"
        raise MappingError(f"{key}: {name!r} is {problem}; known are {', '.join(sorted(known))}")


def _nearest(name: str, known: Iterable[str]) -> str:
    """A hint: the most similar known name, or else all of them."""
    import difflib  # only needed for an error

    near = difflib.get_close_matches(name, sorted(known), 5)
    near.sort(key=lambda candidate: sorted(candidate) != sorted(name))  # swapped letters come first
    return f"the nearest known is {near[0]!r}" if near else f"known are {', '.join(sorted(known))}"


def _variables(
    key: str, service: str, expression: Optional[str], conversion: Any
) -> "frozenset[str]":
    """What the expression needs besides ``value``."""
    if conversion is None:
        return frozenset()
    used = set()
    parts = list(_parts(conversion))
    for part in parts:
        if isinstance(part, nflex.Variable):
            used.add(part.value)
        elif isinstance(part, nflex.Immediate):
            try:
                part.evaluate({})
            except ValueError:  # the parser accepts 1:.5 as a number
                raise MappingError(f"{key}: {part.value!r} is no number") from None
    known = {"value", *SERVICES[service]}
    for name in sorted(used - {"NULL", *known}):
        why = f"{service} never gives it" if name in VARIABLES else "there is none"
        raise MappingError(f"{key}: {name!r} is no variable here: {why}; {_nearest(name, known)}")
    if "value" not in used:
        raise MappingError(f"{key}: conversion_expr {expression!r} does not use 'value'")
    for part in parts:
        if isinstance(part, nflex.MathTerm):
            _refuse_hidden_zero(key, expression, part)
    return frozenset(used & VARIABLES.keys())


def _refuse_hidden_zero(key: str, expression: Optional[str], term: Any) -> None:
    """nflex gives 0 for a division by 0, so a divisor must be known not to be 0."""
    for operator, operand in zip(term.operators, term.operands[1:]):
        if isinstance(operand, nflex.Immediate):
            safe = operand.evaluate({}) > 0
        else:
            safe = isinstance(operand, nflex.Variable) and operand.value in VARIABLES
        if operator in "/^" and not safe:
            raise MappingError(
                f"{key}: conversion_expr {expression!r} has after {operator!r} what may be 0; "
                f"allowed are {', '.join(VARIABLES)} and numbers above 0"
            )


def _parts(node: Any) -> Iterator[Any]:
    """The node of a parsed expression and all nodes below it."""
    if isinstance(node, (list, tuple)) or type(node).__name__ == "ParseResults":
        for child in node:
            yield from _parts(child)
    elif type(node).__module__ == nflex.__name__:
        yield node
        for child in vars(node).values():
            yield from _parts(child)


class _Once(yaml.SafeLoader):
    """Refuses two entries with the same key, of which PyYAML would only keep the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [self.construct_object(key, deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise MappingError(f"{key!r} is there twice")
        return super().construct_mapping(node, deep)
