"""charset_normalizer is imported when it is used, and nobody can tell until then."""

import subprocess
import sys

import pytest

from shared.engine import late
from tests.test_house import ROOT

# `shared` first, as in a module, or after requests, as in a host that has imported it already
FIRST = "import sys, shared, requests\nassert 'charset_normalizer.api' not in sys.modules\n"
AFTER = "import sys, requests, shared\n"
LATIN = "'Überfälle kosten die Bürger jährlich große Summen, schätzt die Behörde in Köln.'"


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


USES = [
    "import requests.compat; answer = requests.Response()\n"
    f"answer._content = {LATIN}.encode('latin-1')\n"
    f"assert {LATIN} in answer.text, answer.text\n"
    "assert 'charset_normalizer.api' in sys.modules",
    "from charset_normalizer import from_bytes; assert 'charset_normalizer.api' in sys.modules",
    "import charset_normalizer; assert charset_normalizer.detect(b'abc')['encoding'] == 'ascii'",
    "import charset_normalizer.api; charset_normalizer.api.from_bytes(b'abc')",
    "import charset_normalizer\ntry: charset_normalizer.nothing\nexcept AttributeError: pass\nelse: sys.exit(1)",
]


@pytest.mark.parametrize("first", [FIRST, AFTER])
@pytest.mark.parametrize("use", USES)
def test_it_is_there_when_it_is_used(first, use):
    run(first + use)


def test_where_it_is_not_installed():
    """Not in a module whose providers do without requests."""
    run(
        "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "from importlib.machinery import PathFinder; assert not PathFinder.find_spec('requests')\n"
        "sys.modules['shared'] = type(sys)('shared'); sys.modules['shared'].__path__ = ['shared']\n"
        "from shared.engine.late import import_late; import_late()\n"
        "assert 'charset_normalizer' not in sys.modules"
    )


def test_it_stands_in_for_the_package_until_it_is_used(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == late.PACKAGE]:
        monkeypatch.delitem(sys.modules, name)
    late.import_late()
    standing_in = sys.modules[late.PACKAGE]
    assert standing_in.__version__ == "3.0.0"  # requests compares it with what it supports
    assert standing_in.__spec__.name == standing_in.__name__ == late.PACKAGE
    late.import_late()
    assert sys.modules[late.PACKAGE] is standing_in
    assert standing_in.from_bytes("é".encode()).best().encoding == "utf_8"
    assert sys.modules[late.PACKAGE] is not standing_in
    assert standing_in.from_bytes is sys.modules[late.PACKAGE].from_bytes


def test_a_package_that_is_not_installed_has_no_stand_in(monkeypatch):
    monkeypatch.delitem(sys.modules, late.PACKAGE, raising=False)
    monkeypatch.setattr(sys, "path", [])
    late.import_late()
    assert late.PACKAGE not in sys.modules
