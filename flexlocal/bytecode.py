"""Compiles files with any Python from 3.9: a script that imports nothing from this project.

    python bytecode.py < [[FILE, NAME-IN-TRACEBACKS], ...] as JSON

The byte code goes where the import system looks for it. It has no docstrings, which would be a third of its size.
It is not checked against its source (PEP 552), whose time changes when a zip is unpacked.

Dataclasses get their name as docstring: where there is none, ``dataclass`` writes one from the signature, which takes
as long as all the rest that it does.
"""

import ast
import importlib.util
import json
import marshal
import os
import sys

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
UNCHECKED = (1).to_bytes(4, "little")


def compiled(source: bytes, name: str) -> bytes:
    """The content of a .pyc file."""
    tree = ast.parse(source, name)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body.pop(0)
            if not node.body:
                node.body.append(ast.copy_location(ast.Pass(), docstring))
        if isinstance(node, ast.ClassDef) and any(map(is_dataclass, node.decorator_list)):
            named = ast.Expr(ast.Constant(node.name))
            node.body.insert(0, ast.fix_missing_locations(ast.copy_location(named, node)))
    code = compile(tree, name, "exec", dont_inherit=True, optimize=0)
    header = importlib.util.MAGIC_NUMBER + UNCHECKED + importlib.util.source_hash(source)
    return header + marshal.dumps(code)


def is_dataclass(decorator: ast.expr) -> bool:
    """Whether this is ``dataclass`` or ``dataclasses.dataclass``, with arguments or without."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", None)
    return name == "dataclass"


def main() -> None:
    for file, name in json.load(sys.stdin):
        with open(file, "rb") as read:
            content = compiled(read.read(), name)
        target = importlib.util.cache_from_source(file)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as written:
            written.write(content)


if __name__ == "__main__":
    main()
