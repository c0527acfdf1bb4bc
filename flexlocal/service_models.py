"""Cuts botocore's data down to what a module calls: EC2's model has 830 operations, of which it needs some 20.

An operation is in use if the name of its method ("describe_instances") or its own ("ec2:DescribeInstances") stands in
one of the module's files, or in those of botocore that call any, or among the permissions that the cell declares,
which tests/test_aws_calls.py compares with the calls. The shapes that these operations reach stay as they are.
"""

import ast
import functools
import gzip
import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from botocore import xform_name

CALLERS = ("botocore/credentials.py",)  # of botocore: roles of the host
MODEL, ENDPOINTS = "service-2.json.gz", "botocore/data/endpoints.json"
CHANGED = "by flexlocal build: without documentation, and without what the module does not call"


def names(files: Iterable[Path]) -> set[str]:
    """All names in these Python files that may be an operation's."""
    return {name for file in files for name in _names(file.read_bytes())}


@functools.lru_cache(maxsize=512)
def _names(source: bytes) -> frozenset[str]:
    """Kept, since the modules share most of their files."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value.rpartition(":")[2])
    return frozenset(found)


def read(content: bytes) -> dict[str, Any]:
    """The model in a service-2.json.gz."""
    model: dict[str, Any] = json.loads(gzip.decompress(content))
    return model


def cut(model: dict[str, Any], in_use: Collection[str]) -> bytes:
    """The file of a service's model with the operations of these names, and without the documentation.

    Three quarters of a model are documentation: 0.5 MB of a zip, and time at a cold start. The licence (Apache 2.0,
    4b) requires a notice in a changed file.
    """
    operations = {
        name: operation
        for name, operation in model["operations"].items()
        if name in in_use or xform_name(name) in in_use
    }
    shapes = _reached(model["shapes"], operations.values())
    kept = without_documentation({**model, "operations": operations, "shapes": shapes})
    return gzip.compress(_json({**kept, "changed": CHANGED}), 9, mtime=0)


def _reached(shapes: dict[str, Any], operations: Iterable[Any]) -> dict[str, Any]:
    todo = [name for operation in operations for name in _shapes_in(operation)]
    reached = set()
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += _shapes_in(shapes[name])
    return {name: shape for name, shape in shapes.items() if name in reached}


def _shapes_in(value: Any) -> list[str]:
    """The names of all shapes that an operation or a shape refers to, wherever it does."""
    if isinstance(value, list):
        return [name for item in value for name in _shapes_in(item)]
    if not isinstance(value, dict):
        return []
    here = [value["shape"]] if isinstance(value.get("shape"), str) else []
    return here + [name for item in value.values() for name in _shapes_in(item)]


def cut_endpoints(content: bytes, prefixes: Collection[str]) -> bytes:
    """endpoints.json with the endpoints of these services alone; regions and partitions stay."""
    endpoints = json.loads(content)
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {name: services[name] for name in services if name in prefixes}
    return _json({**endpoints, "changed": CHANGED})


def without_documentation(value: Any) -> Any:
    """A model, or a part of one, without it."""
    if isinstance(value, list):
        return [without_documentation(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_documentation(item)
        for key, item in value.items()
        if key != "documentation" or not isinstance(item, str)  # a field may have that name
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
