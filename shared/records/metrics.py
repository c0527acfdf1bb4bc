"""Converts a provider's metrics into CMP's, as mapping.yaml says.

The mapping is in nflex-connector-utils' format and evaluated by its parser. Loading the file refuses what that
parser would ignore: an expression that it can't parse (it would leave the value unconverted), a service that no
cell reads, a variable that the service never provides, a missing unit.

A point is a time and a value, (datetime, number). None and NaN mean "not known" and are left out: a zero would
be a statement about the resource.
"""

import dataclasses
import datetime
import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

import yaml
from nflex_connector_utils import ParsedEntry, convert_datetime
from nflex_connector_utils import parser as nflex

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

Point = tuple[datetime.datetime, float]


class MappingError(ValueError):
    """An entry of the mapping is wrong; the message names its key."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """An entry of the mapping.

    ``key`` is ``<provider>.<service>.<metric>``, ``name`` and ``unit`` are CMP's, and ``variables`` are what
    ``points`` needs besides the points. ``counter``: the provider's values are running totals.
    """

    key: str
    name: str
    unit: str
    counter: bool
    statistic: Optional[str]
    variables: frozenset[str]
    entry: ParsedEntry = dataclasses.field(repr=False, compare=False)

    @property
    def metric(self) -> str:
        """The provider's name of the metric."""
        return self.key.split(".", 2)[2]

    def convert(self, value: Optional[float], **variables: Optional[float]) -> Optional[float]:
        """CMP's value for the provider's value (for a counter: for its rate). None if it is not known.

        A variable that is None or not above 0 makes it unknown too: nflex would divide by 0 and get 0.
        Raises TypeError if a variable of the expression is missing.
        """
        missing = self.variables - variables.keys()
        if missing:
            raise TypeError(f"{self.key}: missing variable {', '.join(sorted(missing))}")
        known = {name: _known(variables[name]) for name in self.variables}
        value = _known(value)
        if value is None or any(number is None or number <= 0 for number in known.values()):
            return None
        return _known(self.entry.value(value=value, **known))

    def points(
        self,
        points: Iterable[tuple[datetime.datetime, Optional[float]]],
        resource_id: str,
        resource_type: str,
        *,
        before: Optional[Point] = None,
        specialisation: Optional[str] = None,
        **variables: Optional[float],
    ) -> list[dict[str, Any]]:
        """The points as get_metrics returns them, by time; unknown ones are left out.

        For a counter, ``before`` is the last point of the previous poll: the growth since then belongs to the first
        point of this poll. Without it, the first point only serves as a start. ``specialisation`` tells several
        things of one resource apart, such as disks or interfaces.
        """
        known = rates(points, before) if self.counter else clean(points)
        specialisation = specialisation or self.entry.specialisation()
        results = []
        for moment, raw in known:
            value = self.convert(raw, **variables)
            if value is None:
                continue
            point = {
                "resource_id": resource_id,
                "resource_type": resource_type,
                "metric": self.name,
                "value": value,
                "unit": self.unit,
                "time": convert_datetime(moment),
            }
            if specialisation:
                point["specialisation"] = specialisation
            results.append(point)
        return results


# --- points ---------------------------------------------------------------------------------------


def clean(points: Iterable[tuple[datetime.datetime, Optional[float]]]) -> list[Point]:
    """The points with a known value, by time; of two with the same time, the last one."""
    known = {moment: _known(value) for moment, value in points}
    return [(moment, value) for moment, value in sorted(known.items()) if value is not None]


def rates(
    points: Iterable[tuple[datetime.datetime, Optional[float]]], before: Optional[Point] = None
) -> list[Point]:
    """The growth of a counter per second from each point to the next; a rate has the time of the later point.

    - If points are missing, the growth is spread over the time that really passed.
    - If the counter fell, it was reset (the server was restarted or moved), and its value before the reset is
      not known: this interval has no rate, and the next one starts at the new value.
    - Points that are no later than ``before`` were counted by an earlier poll.
    """
    results = []
    for moment, value in clean(points):
        if before is None:
            before = moment, value
            continue
        seconds = (moment - before[0]).total_seconds()
        if seconds <= 0:
            continue
        if value >= before[1]:
            results.append((moment, (value - before[1]) / seconds))
        before = moment, value
    return results


def _known(value: Optional[float]) -> Optional[float]:
    if value is None:
        return None
    try:
        value = float(value)
    except OverflowError:  # a whole number that no float holds
        return None
    return value if math.isfinite(value) else None


# --- the file -------------------------------------------------------------------------------------

_loading = threading.Lock()
_loaded: dict[str, Metric] = {}


def of(service: str) -> list[Metric]:
    """All metrics of a provider's service, such as ``aws.ec2``, in the file's order.

    The file is read once per process. Raises MappingError if it is wrong, and KeyError if it has no metric of
    the service.
    """
    with _loading:  # several scopes may call this at once
        if not _loaded:
            _loaded.update(load(MAPPING))
    metrics = [metric for key, metric in _loaded.items() if key.startswith(f"{service}.")]
    if not metrics:
        raise KeyError(service)
    return metrics


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
        entry=ParsedEntry(
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
