"""nflex-connector-utils is imported without its parser, dateutil and pytz, and nobody can tell until it looks."""

import subprocess
import sys

import pytest

from tests.test_house import ROOT

FIRST = (
    "import sys, shared, nflex_connector_utils as nflex; assert 'pyparsing' not in sys.modules\n"
)
PLAIN = (
    "import sys, nflex_connector_utils as nflex; assert 'pyparsing' in sys.modules; import shared\n"
)


def run(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("first", [FIRST, PLAIN])
@pytest.mark.parametrize(
    "use",
    [
        "from nflex_connector_utils import ParsedEntry, VariableLookupError, load_metric_mapping",
        "from nflex_connector_utils import parser; parser.SimpleExpressionParser().parse('value * 8')",
        "from nflex_connector_utils.parser import ParsedEntry; ParsedEntry",
        "import nflex_connector_utils.parser; nflex.parser.ParsedEntry",
        "nflex.parser.ParsedEntry",
        "assert nflex.ParsedEntry is nflex.parser.ParsedEntry",
        "assert nflex.VariableLookupError is nflex.parser.VariableLookupError",
        "import importlib; importlib.reload(nflex).ParsedEntry",
    ],
)
def test_the_parser_is_there_when_it_is_used(first, use):
    run(f"{first}{use}\nassert 'pyparsing' in sys.modules")


@pytest.mark.parametrize("first", [FIRST, PLAIN])
def test_a_name_that_there_is_not(first):
    run(
        f"{first}"
        "assert not hasattr(nflex, 'nothing')\n"
        "try: nflex.nothing\n"
        "except AttributeError as error: assert 'nothing' in str(error)\n"
        "try: from nflex_connector_utils import nothing\n"
        "except ImportError: sys.exit(0)\n"
        "sys.exit('imported')"
    )


def test_all_names_are_there():
    names = "print(sorted(name for name in {names} if not name.startswith('__')))"
    plain = run(PLAIN + names.format(names="dir(nflex)"))
    late = run(
        FIRST + "nflex.parser\n" + names.format(names="{*dir(nflex), *shared.engine.nflex.NAMES}")
    )
    assert late == plain


TIMES = """
import datetime, itertools
texts = ["2024-02-29T23:59:59.123456+05:30", "2024-02-29", "29 Feb 2024 3pm", "20240229T101112Z", "", None, "x", "1"]
zones = [None, datetime.timezone.utc, datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))]
days = [datetime.datetime(1, 1, 1), datetime.datetime(2024, 2, 29, 1, 2, 3, 4), datetime.datetime.max]
times = [day.replace(tzinfo=zone) for day, zone in itertools.product(days, zones)]
for time in (*times, *texts):
    try:
        print(repr(nflex.convert_datetime(time)))
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_times_are_converted_as_with_pytz():
    not_yet = "assert not {'dateutil', 'pytz'} & {*sys.modules}\n"
    late = run(FIRST + not_yet + TIMES + "assert 'dateutil' in sys.modules")
    assert late == run(PLAIN + TIMES)
    assert "2024-02-29T18:29:59.123456Z" in late
    assert "OverflowError" in late


def test_they_remain_importable():
    run(
        FIRST
        + "import pytz, dateutil.parser; pytz.timezone('Europe/Berlin'), dateutil.parser.parse('2024')"
    )
