"""mapping.yaml has only services that a cell reads, and variables that this service gives: every one of them.

What shared/records/mapping.py lists in SERVICES is compared with what the cells do, since a built module has not
all cells and can't find it out.
"""

import ast
import datetime
import json

import pytest
import yaml

from flexlocal.__main__ import families
from shared.engine.contracts import Window
from shared.engine.interval import Interval
from shared.providers.aws import cloudwatch
from shared.records import mapping, metrics
from shared.records.mapping import MAPPING, SERVICES, VARIABLES, MappingError
from tests.built import ROOT
from tests.fakes.aws_records import Session
from tests.test_interval import Clock
from tests.test_openstack_metrics import clock, cloud, measured, poll, read, twice  # noqa: F401

ENTRIES = yaml.safe_load(MAPPING.read_text(encoding="utf-8"))
PROVIDERS = {provider for cells in families().values() for provider in cells}
NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.timezone.utc)


def service_of(key):
    return ".".join(key.split(".", 2)[:2])


def of_service(given, service):
    return {key: each for key, each in given.items() if service_of(key) == service}


def texts(folder):
    """(file, text) of each string in the code of the folder."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield file, node.value


def test_the_services_are_those_that_the_cells_read():
    named = {
        text
        for folder in ("modules", "shared")
        for file, text in texts(folder)
        if file != ROOT / "shared" / "metrics.py"
        and text.count(".") == 1
        and text.split(".")[0] in PROVIDERS
        and text.split(".")[1].isidentifier()
    }
    assert named == set(SERVICES)


def test_every_service_has_entries():
    assert {service_of(key) for key in ENTRIES} == set(SERVICES)


def written(folder, entries):
    file = folder / "mapping.yaml"
    file.write_text(json.dumps(entries), encoding="utf-8")  # which is YAML, too
    return file


def entry(service, expression):
    """The service's first entry with another expression. With the entries of all services, reading takes 20 times
    as long."""
    key = next(key for key in ENTRIES if service_of(key) == service)
    return key, {**ENTRIES[key], "conversion_expr": expression}


@pytest.mark.parametrize("variable", sorted(VARIABLES))
@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_variable_that_the_service_never_gives(service, variable, tmp_path):
    key, changed = entry(service, f"value / {variable}")
    file = written(tmp_path, {**of_service(ENTRIES, service), key: changed})
    if variable in SERVICES[service]:
        assert mapping.load(file)[key].variables == {variable}
        return
    with pytest.raises(MappingError) as refused:
        mapping.load(file)
    assert str(refused.value).startswith(
        f"{key}: {variable!r} is no variable here: {service} never gives it; known are "
    )
    assert str(refused.value).endswith(", ".join(sorted({"value", *SERVICES[service]})))


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_a_misspelt_service_names_the_nearest(service, tmp_path):
    key, _ = entry(service, "value")
    wrong = service[:-1] + service[-1] * 2
    changed = {
        name if name != key else f"{wrong}.X": each
        for name, each in of_service(ENTRIES, service).items()
    }
    with pytest.raises(MappingError) as refused:
        mapping.load(written(tmp_path, changed))
    assert str(refused.value) == (
        f"{wrong}.X: no cell reads {wrong!r}; the nearest known is {service!r}"
    )


@pytest.fixture(scope="module")
def with_all_variables(tmp_path_factory):
    """A mapping whose every entry uses all variables of its service."""
    changed = {
        key: {**each, "conversion_expr": " * ".join(("value", *sorted(SERVICES[service_of(key)])))}
        for key, each in ENTRIES.items()
    }
    return mapping.load(written(tmp_path_factory.mktemp("mapping"), changed))


@pytest.fixture
def all_in_use(monkeypatch, with_all_variables):
    """What each entry of that mapping was really given."""
    monkeypatch.setattr(metrics, "_loaded", with_all_variables)
    given, convert = {}, metrics.Metric.convert

    def recorded(metric, value, **variables):
        given.setdefault(metric.key, set()).update(variables)
        return convert(metric, value, **variables)

    monkeypatch.setattr(metrics.Metric, "convert", recorded)
    return given


@pytest.mark.parametrize("service", sorted(each for each in SERVICES if each.startswith("aws.")))
def test_cloudwatchs_services_give_what_is_listed(all_in_use, service):
    def complete(**params):
        found = [
            {"Id": each["Id"], "Timestamps": [NOON], "Values": [1], "StatusCode": "Complete"}
            for each in params["MetricDataQueries"]
        ]
        return {"MetricDataResults": found}

    scope = Session({"GetMetricData": complete}).scope()
    window = Window(Interval(NOON, NOON + datetime.timedelta(hours=1)), None)
    queries = cloudwatch.queries(service, "AWS/X", {"Id": "x"}, "x", "server", 300)
    points = [each for page in cloudwatch.points(scope, window, queries) for each in page]
    assert len(points) == len(queries) > 0
    keys = {key for key in ENTRIES if service_of(key) == service}
    assert of_service(all_in_use, service) == {key: SERVICES[service] for key in keys}


def test_gnocchi_gives_what_is_listed(all_in_use, measured):  # noqa: F811 - a fixture
    assert poll(measured)["metrics"]
    given = of_service(all_in_use, "openstack.gnocchi")
    assert given
    assert {frozenset(each) for each in given.values()} == {SERVICES["openstack.gnocchi"]}


def test_nova_gives_what_is_listed(all_in_use, cloud, monkeypatch):  # noqa: F811 - a fixture
    monkeypatch.setattr("shared.engine.clock.now", lambda: Clock.now_is)
    assert twice(cloud, read(0), read(1))["metrics"]
    keys = {key for key in ENTRIES if service_of(key) == "openstack.nova"}
    expected = {key: SERVICES["openstack.nova"] for key in keys}
    assert of_service(all_in_use, "openstack.nova") == expected


def test_no_other_code_converts_points():
    """Else the tests above would not see what a cell gives."""
    callers = {
        file.relative_to(ROOT).as_posix()
        for folder in ("modules", "shared")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "of"
        and isinstance(node.value, ast.Name)
        and node.value.id == "metrics"
    }
    assert callers == {
        "shared/providers/aws/cloudwatch.py",
        "shared/providers/openstack/gnocchi.py",
        "shared/providers/openstack/server_diagnostics.py",
    }
