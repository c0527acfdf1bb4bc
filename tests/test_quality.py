"""The quality scale claims nothing that the tests do not have."""

import dataclasses

import pytest

from tools import quality

RULES, ENTRIES = quality.load()
KNOWN = quality.providers()


@pytest.fixture(scope="module")
def tests(collect):
    """The ids of all tests in the files that the table names, as pytest collects them."""
    named = [name for each in ENTRIES for name in (*each.done, *each.named.values())]
    files = sorted({name.partition("::")[0] for name in named if name.startswith("tests/")})
    there = [file for file in files if (quality.ROOT / file).exists()]
    return collect(*there)


def entry(name):
    (found,) = (each for each in ENTRIES if str(each) == name)
    return found


def problems(entries, tests, known=KNOWN, rules=RULES):
    return list(quality.problems(rules, entries, known, tests))


def test_the_table_is_true(tests):
    assert problems(ENTRIES, tests) == []


@pytest.mark.parametrize(
    "name, changes, problem",
    [
        ("aws.faults", {"done": ("tests/test_gone.py::test_a",)}, "does not exist"),
        ("aws.faults", {"done": ("tests/test_aws.py::test_gone",)}, "no test that pytest finds"),
        ("aws.faults", {"done": ("tests/test_juju.py::test_faults",)}, "not about aws"),
        ("juju.faults", {"done": ("tests/test_vanished_markers.py::test_aws",)}, "not about juju"),
        ("aws.faults", {"done": ()}, "should be either done"),
        ("aws.faults", {"exempt": "no reason"}, "should be either done"),
        ("tapi.benchmark", {"missing": ""}, "should be either done"),
        ("tapi.benchmark", {"missing": "benchmarks/wan_plan.py"}, "is to do, and exists"),
        (
            "tapi.benchmark",
            {"missing": "tests/test_juju.py::test_faults"},
            "is to do, and exists",
        ),
        ("aws.benchmark", {"done": ("benchmarks/wan_plan.py",)}, "measures nothing of aws"),
        ("aws.benchmark", {"done": ("benchmarks/speed.py::juju-5000",)}, "measures nothing of aws"),
        ("aws.benchmark", {"done": ("benchmarks/speed.py::aws-5",)}, "measures nothing of aws"),
        ("aws.families", {"without": {}}, "vca_status should have a cell, or a reason"),
        (
            "aws.families",
            {"without": {"vca_status": "why", "volumes": "why"}},
            "volumes should have a cell, or a reason",
        ),
        (
            "aws.families",
            {"without": {"vca_status": "why", "spending": "why"}},
            "no family spending",
        ),
        (
            "aws.families",
            {"done": ("tests/test_vanished_markers.py::test_openstack",)},
            "volumes is in none of the tests",
        ),
        (
            "aws.permissions",
            {"done": ("tests/test_wan_links_aws.py::test_the_error_names_the_missing_permission",)},
            "no test's id names ec2:DescribeVolumes",
        ),
        ("juju.permissions", {"named": {}}, "no test's id names model read"),
        (
            "juju.permissions",
            {"named": {"sudo": "tests/test_juju.py::test_faults"}},
            "no cell needs sudo",
        ),
        ("aws.metrics", {"done": (), "exempt": "none"}, "a cell of aws has metrics"),
        (
            "juju.logs",
            {"todo": "", "missing": "", "done": ("tests/test_juju.py::test_faults",)},
            "no cell of juju has logs",
        ),
        ("aws.docs", {"done": ("docs/providers/juju.md",)}, "is not the page of aws"),
        ("aws.docs", {"provider": "gcp"}, "no such provider or rule"),
        ("aws.docs", {"rule": "beauty"}, "no such provider or rule"),
    ],
)
def test_a_claim_that_is_not_so_is_found(tests, name, changes, problem):
    wrong = dataclasses.replace(entry(name), **changes)
    others = [each for each in ENTRIES if str(each) != name]
    assert [each for each in problems([*others, wrong], tests) if problem in each]


def test_a_page_that_lacks_a_section_is_found(tests, monkeypatch):
    monkeypatch.setattr(quality, "DOCUMENTED", ("## Permissions", "## Beauty"))
    assert "aws.docs: docs/providers/aws.md has no '## Beauty'" in problems(ENTRIES, tests)


def test_a_provider_or_a_rule_that_has_no_entry_is_found(tests):
    assert problems(ENTRIES, tests, {**KNOWN, "gcp": KNOWN["aws"]}) == [
        f"gcp.{rule}: there is no entry" for rule in RULES
    ]
    assert problems(ENTRIES, tests, rules={**RULES, "beauty": "It is beautiful."}) == [
        f"{provider}.beauty: there is no entry" for provider in KNOWN
    ]
