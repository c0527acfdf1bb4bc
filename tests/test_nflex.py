"""nflex-connector-utils is imported without its parser, and nobody can tell until pyparsing is looked for."""

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
