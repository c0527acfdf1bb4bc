"""What several cells of a provider do alike stands once, in the provider's package."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from flexlocal.__main__ import families

MODULES = Path(__file__).resolve().parent.parent / "modules"
PROVIDERS = sorted({provider for cells in families().values() for provider in cells})


def own_functions(file):
    """Name of each function of a file that is not the engine's, by its code without name, docstring and annotations.

    Those are the private ones, and in a cell that is a package all but the face's.
    """
    in_package = file.name != "__init__.py" and file.parents[2] == MODULES
    functions = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and (in_package or node.name.startswith("_")):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            parameters = ", ".join(arg.arg for arg in node.args.args + node.args.kwonlyargs)
            functions[parameters, "\n".join(map(ast.unparse, body))] = node.name
    return functions


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_function_stands_in_two_cells_of_a_provider(provider):
    places = defaultdict(list)
    files = [*MODULES.glob(f"*/{provider}.py"), *MODULES.glob(f"*/{provider}/*.py")]
    assert files
    for file in sorted(files):
        for code, name in own_functions(file).items():
            places[code].append(f"{file.relative_to(MODULES)}: {name}")
    assert not [names for names in places.values() if len(names) > 1]


def test_the_same_code_under_another_name_is_seen(tmp_path):
    (tmp_path / "a.py").write_text('def _one(x: int) -> int:\n    """Doc."""\n    return x + 1\n')
    (tmp_path / "b.py").write_text("def _two(x):\n    return x + 1  # other words\n")
    (tmp_path / "c.py").write_text("def _one(x):\n    return x + 2\n")
    a, b, c = (own_functions(tmp_path / name) for name in ("a.py", "b.py", "c.py"))
    assert a.keys() == b.keys() != c.keys()
