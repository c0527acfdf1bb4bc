"""Libraries' sources are shipped without comments and docstrings: the same code on the same lines."""

import importlib.util
import types
from pathlib import Path

import pytest

from flexlocal import bare, bytecode

SOURCE = '''\
#!/usr/bin/env python
# Copyright of somebody
"""What it does,
in two lines."""

import os  # for os.sep


# a comment
class Shop:
    """A docstring alone."""


class Other(Shop):
    r"""Raw."""

    field = "# none"  # one

    def open(self):
        # Copyright: stays
        """Not the
        last line."""
        return """no
        docstring"""  # but a comment

    def close(self): "on the line of its def"
'''
BARE = '''\
#!/usr/bin/env python
# Copyright of somebody



import os


#
class Shop:
    pass


class Other(Shop):


    field = "# none"

    def open(self):
        # Copyright: stays


        return """no
        docstring"""

    def close(self): "on the line of its def"
'''.replace("\n#\n", "\n\n")  # fmt: skip


def lines(code):
    """All that byte code does, with its lines; of code in it too."""
    consts = [lines(each) if isinstance(each, types.CodeType) else each for each in code.co_consts]
    return (
        code.co_name,
        code.co_code,
        code.co_names,
        consts,
        code.co_firstlineno,
        list(_lines(code)),
    )


def _lines(code):
    import dis

    return dis.findlinestarts(code)


def run_as(source):
    """The byte code that the build ships for this source."""
    import marshal

    return lines(marshal.loads(bytecode.compiled(source, "x.py")[16:]))  # noqa: S302 - ours


def test_comments_and_docstrings_go():
    assert bare.bare(SOURCE.encode()).decode() == BARE + bare.NOTICE


@pytest.mark.parametrize("name", ["six", "botocore.session", "dateutil.tz.tz", "yaml.scanner"])
def test_the_byte_code_is_the_same(name):
    source = Path(importlib.util.find_spec(name).origin).read_bytes()
    shorter = bare.bare(source)
    assert len(shorter) < len(source)
    assert shorter.count(b"\n") <= source.count(b"\n") + 1
    assert run_as(shorter) == run_as(source)


@pytest.mark.parametrize(
    "source",
    [
        b"# -*- coding: latin-1 -*-\nx = '\xe4'  # no UTF-8\n",
        b"x = (  # cut off\n",
        b"print 'of Python 2'  # no Python 3\n",
    ],
)
def test_what_can_not_be_read_stays(source):
    assert bare.bare(source) == source


def test_what_is_not_the_same_afterwards_stays(monkeypatch):
    shorter = bare._shorter
    monkeypatch.setattr(bare, "_shorter", lambda text: shorter(text).replace("2", "3"))
    assert bare.bare(b"x = 2  # two\n") == b"x = 2  # two\n"
    monkeypatch.setattr(bare, "_shorter", lambda text: "\n" + shorter(text))
    assert bare.bare(b"x = 2  # two\n") == b"x = 2  # two\n"


def test_terms_of_use_stay():
    source = b'"""Shop.\n\n:license: Apache2\n"""\nx = 1  # License: MIT\ny = 2  # two\n'
    assert bare.bare(source) == source.replace(b"  # two", b"") + bare.NOTICE.encode()
