"""Counts what mutmut found, file by file; and changes the tables of errors and states, which mutmut does not.

    python -m tools.mutants functions
    python -m tools.mutants tables [PART OF A FILE'S NAME]...

mutmut only changes what functions do, and cosmic-ray (8.7) has no operator for the entries of a set, a tuple or a dict.
Of a table, an entry is removed, or it gets the value of the next entry that has another one. Each change is written to
a copy of the project, where the tests that are named beside its file run in a process of their own. What no test
notices is listed.
"""

import ast
import importlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Optional, Union

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 300
# mutmut's codes: all tests pass, no test was found, no test runs the function
UNNOTICED = (0, 5, 33)
# Imported once, before a process is forked for each change; nothing of the project may be among them.
PRELOADED = ("pytest", "requests", "botocore.session", "keystoneauth1.session", "freezegun")

# By file: its tables, and the few tests that matter to them, the quickest first.
ERRORS = {
    "shared/engine/errors.py": ("action", "test_run"),
    "shared/engine/failures.py": ("_OF_DATA", "test_run"),
    "shared/providers/aws/errors.py": (
        "_WRONG_CREDENTIALS _UNKNOWN_KEY _CLOCK _DENIED _THROTTLED _UNAVAILABLE _NOT_SUBSCRIBED _MISSING "
        "_GONE _OLD_PAGE_TOKEN _IAM _UNREACHED",
        "test_aws_errors",
    ),
    "shared/providers/aws/paging.py": ("TOKENS _SIZES", "test_aws_paging"),
    "shared/providers/juju/connection.py": ("_TRANSIENT _REJECTED", "test_juju"),
    "shared/providers/juju/session.py": ("_WRONG_CA", "test_juju"),
    "shared/providers/netbox/session.py": ("_BAD_TOKEN", "test_netbox"),
    "shared/providers/openstack/listings.py": ("_READERS", "test_openstack"),
    "shared/providers/openstack/session.py": ("_NOT_FOR_READERS", "test_openstack"),
    "shared/providers/osm/responses.py": ("NEWER", "test_osm"),
    "shared/transport/http.py": ("THROTTLED TRANSIENT SLOW_DOWN", "test_http test_throttle"),
    "shared/transport/sessions.py": ("PASSING", "test_http"),
}
STATES = {
    "modules/appliances/aws/classic_load_balancers.py": ("INSTANCE_LEVELS", "test_aws_status"),
    "modules/appliances/aws/firewalls.py": ("SYNC_LEVELS ENDPOINT_LEVELS", "test_aws_status"),
    "modules/appliances/aws/gateways.py": ("ATTACHMENT_LEVELS", "test_aws_status"),
    "modules/appliances/aws/load_balancers.py": ("TARGET_LEVELS NO_TARGET", "test_aws_status"),
    "modules/appliances/aws/records.py": ("GONE STATE_LEVELS", "test_aws_status"),
    "modules/appliances/openstack/firewalls.py": ("LEVELS", "test_openstack_status"),
    "modules/appliances/openstack/load_balancers.py": (
        "OPERATING_LEVELS PROVISIONING_LEVELS",
        "test_openstack_status",
    ),
    "modules/appliances/openstack/routers.py": ("LEVELS", "test_openstack_status"),
    "modules/appliances/openstack/shares.py": ("LEVELS", "test_openstack_status"),
    "modules/circuits/aws/__init__.py": ("STATE_LEVELS EXISTING", "test_aws_status"),
    "modules/circuits/aws/direct_connect.py": ("BGP_LEVELS", "test_aws_status"),
    "modules/circuits/aws/records.py": ("GONE", "test_aws_status"),
    "modules/circuits/aws/vpns.py": ("TUNNEL_LEVELS", "test_aws_status"),
    "modules/circuits/netbox.py": ("STATES", "test_netbox_cells"),
    "modules/circuits/openstack.py": ("SITE_LEVELS", "test_openstack_status"),
    "modules/servers/aws/checks.py": ("STATE_LEVELS CHECKS CHECK_LEVELS OVER", "test_aws_status"),
    "modules/servers/aws/instances.py": ("STATES", "test_aws_status"),
    "modules/servers/juju.py": ("STATES LIVES", "test_juju_servers"),
    "modules/servers/openstack/__init__.py": (
        "POWER_STATES STATES TASK_STATES",
        "test_openstack_cells",
    ),
    "modules/servers/openstack/status.py": (
        "LEVELS POWER_LEVELS HOST_LEVELS",
        "test_openstack_status",
    ),
    "modules/vca_status/osm/records.py": ("CONFIGURING", "test_vca_status_osm"),
    "modules/volumes/aws.py": ("STATUS_LEVELS FINE", "test_aws_status"),
    "modules/volumes/openstack.py": (
        "LEVELS MIGRATION_LEVELS REPLICATION_LEVELS",
        "test_openstack_status",
    ),
    "modules/wan_links/aws/__init__.py": ("LEVELS", "test_wan_links_aws"),
    "modules/wan_links/aws/listings.py": ("GONE", "test_wan_links_aws"),
    "modules/wan_links/aws/records.py": ("STATES", "test_wan_links_aws"),
    "modules/wan_links/ietf_l2vpn.py": ("LEVELS", "test_wan_links_ietf_l2vpn"),
    "modules/wan_links/netbox.py": ("STATES LEVELS", "test_wan_links_netbox"),
    "modules/wan_links/osm/wims.py": ("LEVELS", "test_wan_links_osm"),
    "modules/wan_links/tapi.py": ("LIFECYCLE OPERATIONAL STATES LEVELS", "test_wan_links_tapi"),
    "shared/providers/netbox/records.py": ("STATES", "test_netbox_cells"),
    "shared/providers/osm/wan.py": (
        "STATES NO_ANSWER MESSAGE_COUNTS TASKS",
        "test_wan_links_osm",
    ),
    "shared/providers/osm/wan_services.py": ("GONE", "test_wan_links_osm"),
    "shared/records/status.py": ("LEVELS", "test_status"),
    "shared/vca/health.py": (
        "WORST_LAST _OF_WORKLOAD _OF_MACHINE _OF_ACTION _OF_CONFIGURATION _OSM_STATUS _WORKLOAD_HEALTH "
        "_MACHINE_HEALTH _INSTANCE_HEALTH HEALTH _LEVEL_OF_OSM_STATUS _LEVEL_OF_HEALTH",
        "test_vca",
    ),
}
_Literal = Union[ast.Dict, ast.List, ast.Set, ast.Tuple]


def tables(tree: ast.Module) -> Iterator[tuple[str, Union[ast.Assign, ast.AnnAssign]]]:
    """Each assignment of the module and of its classes, and the name that it assigns to."""
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for node in (node for body in bodies for node in body):
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield target.id, node


def literals(node: Optional[ast.AST]) -> Iterator[_Literal]:
    """The collections in an expression; of the values of a dict only those that are dicts themselves."""
    if isinstance(node, (ast.Dict, ast.List, ast.Set, ast.Tuple)):
        yield node
    inner = ast.iter_child_nodes(node) if node is not None else ()
    if isinstance(node, ast.Dict):
        inner = iter([value for value in node.values if isinstance(value, ast.Dict)])
    elif isinstance(node, (ast.List, ast.Set, ast.Tuple)):
        inner = iter(())
    for child in inner:
        yield from literals(child)


def changes(source: str, names: list[str]) -> Iterator[tuple[str, str]]:
    """What is changed, and the source with that change."""
    tree = ast.parse(source)
    assigned = [(name, node) for name, node in tables(tree) if name in names]
    for name, node in assigned:
        if isinstance(node.value, ast.Constant):  # what several classes define differently
            values = [each.value for same, each in assigned if same == name and each.value]
            value: ast.expr = node.value
            other = following(values, values.index(value))
            node.value = other  # type: ignore[assignment]
            yield f"{name}: {ast.unparse(value)} is {ast.unparse(other)}", ast.unparse(tree)
            node.value = value
        for literal in literals(node.value):
            if not isinstance(literal, ast.Dict):
                for number, entry in enumerate(literal.elts):
                    del literal.elts[number]
                    yield f"{name}: {ast.unparse(entry)} removed", ast.unparse(tree)
                    literal.elts.insert(number, entry)
                continue
            for number, (key, value) in enumerate(zip(literal.keys, literal.values)):
                label = f"{name}: {ast.unparse(key) if key else '**'}: {ast.unparse(value)}"
                del literal.keys[number], literal.values[number]
                yield f"{label} removed", ast.unparse(tree)
                literal.keys.insert(number, key)
                literal.values.insert(number, value)
                other = following(literal.values, number)
                if other is not value:
                    literal.values[number] = other
                    yield f"{label} is {ast.unparse(other)}", ast.unparse(tree)
                    literal.values[number] = value


def following(values: list[ast.expr], number: int) -> ast.expr:
    """The next value that is another one; the same where there is none."""
    texts = list(map(ast.unparse, values))
    others = [*range(number + 1, len(values)), *range(number)]
    return values[next((each for each in others if texts[each] != texts[number]), number)]


def passes(copy: Path, tests: list[str]) -> bool:
    """Whether these tests pass in the copy, in a process of their own."""
    child = os.fork()
    if child == 0:
        signal.alarm(LONGEST_S)  # which ends the process: a change may make a test hang
        os.chdir(copy)
        sys.path.insert(0, str(copy))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code = 1
        try:
            code = sys.modules["pytest"].main(["-x", "-q", "-p", "no:cacheprovider", *tests])
        finally:
            os._exit(int(code))
    return os.waitpid(child, 0)[1] == 0


def functions() -> None:
    """How many changes of each file's functions were noticed, of those that the last runs of mutmut tried."""
    for results in sorted((ROOT / "mutants").rglob("*.py.meta")):
        codes = json.loads(results.read_text(encoding="utf-8"))["exit_code_by_key"].values()
        tried = [code for code in codes if code is not None]
        if tried:
            noticed = sum(code not in UNNOTICED for code in tried)
            name = results.relative_to(ROOT / "mutants").as_posix()[: -len(".meta")]
            print(f"{name}: {noticed} of {len(tried)} noticed ({noticed / len(tried):.0%})")


def run(part: str, files: dict[str, tuple[str, str]], copy: Path, only: Sequence[str]) -> None:
    noticed = total = 0
    for file, (names, modules) in files.items():
        if only and not any(each in file for each in only):
            continue
        tests = [f"tests/{module}.py" for module in modules.split()]
        path = copy / file
        source = path.read_text(encoding="utf-8")
        survivors, count = [], 0
        for label, changed in [("nothing changed", source), *changes(source, names.split())]:
            path.write_text(changed, encoding="utf-8")
            # a file of the same size and second would be taken for the one that was compiled before
            Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
            passed = passes(copy, tests)
            if label == "nothing changed":
                if not passed:
                    sys.exit(f"{file}: {modules} fail without any change")
                continue
            count += 1
            if passed:
                survivors.append(label)
                print(f"  {file} {label}", flush=True)
        path.write_text(source, encoding="utf-8")
        print(f"{file}: {count - len(survivors)} of {count} noticed", flush=True)
        noticed, total = noticed + count - len(survivors), total + count
    if total:
        print(f"tables of {part}: {noticed} of {total} noticed ({noticed / total:.0%})", flush=True)


def main(what: str, *only: str) -> None:
    if what == "functions":
        functions()
        return
    for module in PRELOADED:
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "project")
        left_out = shutil.ignore_patterns(".*", "dist", "mutants", "benchmarks", "docs")
        shutil.copytree(ROOT, copy, ignore=left_out)
        run("errors", ERRORS, copy, only)
        run("states", STATES, copy, only)


if __name__ == "__main__":
    main(*sys.argv[1:])
