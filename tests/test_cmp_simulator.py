"""What tests may rely on in the simulator of CMP besides the commands that tests/test_cmp.py runs.

Modules that end badly or not at all, modules given as source code, what is refused, and that a module
sees nothing of this checkout.
"""

import importlib.util
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import vendor
from tests.fakes.cmp import EVENT_SOURCES, LANGUAGES, Cmp
from tests.test_cmp import GOOD, call, packed, refused


@pytest.fixture
def cmp():
    with Cmp() as made:
        yield made


@pytest.fixture
def flexer(cmp, tmp_path):
    """Runs flexer in an empty folder; gives the finished process."""
    vendor.needs_flexer()
    if not importlib.util.find_spec("flexer"):
        pytest.skip("flexer 1.8.0 is not installed; see the Makefile")
    home, folder = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    folder.mkdir()

    def run(*arguments, key=cmp.key):
        return vendor.flexer(arguments, folder, home, cmp.url, key, cmp.secret)

    run.folder = folder
    return run


def send(cmp, method, path, document):
    return call(cmp, method, path, json.dumps(document).encode())


def sent_and_refused(cmp, method, path, document):
    return refused(cmp, method, path, json.dumps(document).encode())


def made(cmp, source, **more):
    """The id of a module with this main.py."""
    module_id = send(cmp, "POST", "/modules", {**GOOD, **more})["id"]
    cmp.zips[module_id] = packed(source)
    return module_id


def execute(cmp, module_id, **more):
    return send(
        cmp, "POST", f"/modules/{module_id}/execute", {"handler": "main.x", "event": {}, **more}
    )


# --- the vendor's command line --------------------------------------------------------------------


def test_a_module_given_as_source_code(flexer, cmp):
    (flexer.folder / "main.py").write_text("def x(event, context):\n    return [event['n'] + 1]\n")
    done = flexer(
        "upload", "--name", "a", "--event-source", "timer", "--language", "python3"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ((module_id, module),) = cmp.modules.items()
    assert module["file_type"] == "inline"
    shown = flexer("get", module_id)
    assert json.loads(shown.stderr)["source_code"] == "*** REDACTED ***"
    done = flexer("execute", module_id, "--handler", "x", "--event", '{"n": 1}')
    assert json.loads(done.stdout) == [2]


def test_a_module_without_source_code_can_be_shown(flexer, cmp):
    module_id = made(cmp, "")
    shown = flexer("get", module_id)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stderr)["source_code"] == ""


def test_a_wrong_key(flexer):
    done = flexer("list", key="another")
    assert done.returncode == 1
    assert "401" in done.stderr


def test_the_command_line_shows_what_was_refused(flexer, cmp, tmp_path):
    (tmp_path / "a.zip").write_bytes(packed(name="lib/main.py"))
    done = flexer(
        "upload", "--name", "a", "--event-source", "timer", "--language", "python3",
        "--zip", str(tmp_path / "a.zip"),
    )  # fmt: skip
    assert done.returncode == 1
    assert "no main.py at its root" in done.stderr
    assert cmp.zips == {}


def test_the_command_line_meets_a_fault(flexer, cmp):
    cmp.fail("GET", "/modules", 503)
    assert "503" in flexer("list").stderr
    assert flexer("list").returncode == 0


@pytest.mark.parametrize(
    "name, known", [("EVENT_SOURCES", EVENT_SOURCES), ("LANGUAGES", LANGUAGES)]
)
def test_what_is_known_is_what_flexer_knows(flexer, name, known):
    """As the command line itself says when it refuses a value."""
    option = "--" + name.lower().replace("_", "-").rstrip("s")
    done = flexer("upload", "--name", "a", option, "no-such-value")
    said = "".join(done.stderr.split())
    assert ",".join(f"'{each}'" for each in known) in said


# --- running a module -----------------------------------------------------------------------------


def test_a_module_sees_nothing_but_itself_and_the_standard_library(cmp):
    module_id = made(
        cmp,
        "import importlib.util, os, sys\n"
        "def x(event, context):\n"
        "    found = [each for each in event if importlib.util.find_spec(each)]\n"
        "    return [found, os.getcwd() == sys.path[0], sorted(set(os.environ) - {'LC_CTYPE'})]\n",
    )
    asked = ["json", "main", "pytest", "pip", "tests", "flexlocal", "shared", "cmp_runtime"]
    found, at_home, environment = execute(cmp, module_id, event=asked)["value"]
    assert found == ["json", "main"]
    assert at_home
    assert "PATH" in environment
    assert not [name for name in environment if name.startswith(("PYTHON", "AWS", "HOME"))]


def test_what_a_module_is_given_and_asks_for(cmp):
    module_id = made(
        cmp,
        "import os\n"
        "def x(event, context):\n"
        "    os.write(1, b'not the answer')\n"
        "    page = context.api.get('/modules', params={'page': 2})\n"
        "    return [context.secrets, page.json()]\n",
    )
    cmp.secrets[module_id] = {"token": "invented"}
    assert execute(cmp, module_id)["value"] == [{"token": "invented"}, []]
    assert ("GET", "/modules?page=2") in cmp.requests


def test_each_run_has_a_process_and_a_folder_of_its_own(cmp):
    module_id = made(
        cmp,
        "import os\n"
        "def x(event, context):\n"
        "    before = os.listdir()\n"
        "    open('left', 'w').close()\n"
        "    return [os.getpid(), before]\n",
    )
    runs = [execute(cmp, module_id)["value"] for _ in range(2)]
    assert runs[0][0] != runs[1][0]
    assert "left" not in runs[1][1]


def test_modules_run_with_the_python_that_was_given(tmp_path):
    """Not with ours: it is a script that notes how it was called."""
    script = tmp_path / "python"
    noted = tmp_path / "noted"
    script.write_text(f'#!/bin/sh\necho "$@" > "{noted}"\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o700)
    with Cmp(python=str(script)) as cmp:
        assert execute(cmp, made(cmp, "def x(e, c):\n    return 7\n"))["value"] == 7
    assert noted.read_text().startswith("-I -S ")


@pytest.mark.parametrize("status", [0, 3])
def test_a_module_that_ends_its_process_is_answered_for(cmp, status):
    module_id = made(cmp, f"import os\ndef x(event, context):\n    os._exit({status})\n")
    path = f"/modules/{module_id}/execute"
    told = sent_and_refused(cmp, "POST", path, {"handler": "main.x", "event": {}})
    assert told[0] == 500
    assert "did not run to its end" in told[1]


HANGS = "import threading\ndef x(event, context):\n    threading.Event().wait()\n"


def test_a_module_that_hangs_is_killed():
    with Cmp(patience_s=0.5) as cmp:
        path = f"/modules/{made(cmp, HANGS)}/execute"
        told = sent_and_refused(cmp, "POST", path, {"handler": "main.x", "event": {}})
        assert told[0] == 500
        assert "timed out after 0.5 seconds" in told[1]


def test_what_ran_asynchronously_can_be_looked_at_and_ends_before_the_simulator():
    with Cmp(patience_s=0.5) as cmp:
        module_id = made(cmp, HANGS)
        answer = execute(cmp, module_id, **{"async": True})
        assert answer == {"value": None, "logs": "", "error": None}
    ((ran, handler, result),) = cmp.results
    assert (ran, handler) == (module_id, "main.x")
    assert "timed out" in result["message"]


def test_the_result_of_an_asynchronous_error(cmp):
    module_id = made(cmp, "def x(event, context):\n    raise KeyError('k')\n")
    execute(cmp, module_id, **{"async": True})
    cmp.wait()
    ((_, _, result),) = cmp.results
    assert (result["value"], result["error"]["exc_type"]) == (None, "KeyError")


def test_a_module_without_code(cmp):
    module_id = send(cmp, "POST", "/modules", GOOD)["id"]
    path = f"/modules/{module_id}/execute"
    status, told = sent_and_refused(cmp, "POST", path, {"handler": "main.x", "event": {}})
    assert status == 400
    assert "has no code yet" in told


# --- requests -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, path, document, told",
    [
        ("POST", "/modules", [], "no dict"),
        ("POST", "/modules/ID/execute", {"event": {}}, "handler: missing"),
        ("POST", "/modules/ID/execute", {"handler": "main.x"}, "event: missing"),
        ("POST", "/modules/ID/state/delete", {"a": 1}, "no list"),
        ("PATCH", "/modules/ID/state", ["a"], "no dict"),
        ("PATCH", "/modules/ID", {"language": "cobol"}, "language: 'cobol'"),
        ("PATCH", "/modules/ID", {"file_type": "tar"}, "file_type: 'tar'"),
        ("PATCH", "/modules/ID", {"id": "other"}, "can't be changed: ['id']"),
        ("POST", "/logs", {}, "no list"),
        ("POST", "/tasks/t/update", {}, "percentage: missing"),
    ],
)
def test_a_body_that_is_not_as_flexer_sends_it(cmp, method, path, document, told):
    module_id = made(cmp, "")
    before = json.dumps(cmp.modules)
    status, message = sent_and_refused(cmp, method, path.replace("ID", module_id), document)
    assert status == 400
    assert told in message
    assert json.dumps(cmp.modules) == before


@pytest.mark.parametrize("page", ["0", "-1", "x"])
def test_a_page_that_is_none(cmp, page):
    assert refused(cmp, "GET", f"/modules?page={page}")[0] == 400


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/modules/ID/elsewhere"),
        ("PATCH", "/modules/ID/elsewhere"),
        ("PATCH", "/modules"),
        ("DELETE", "/modules/ID/zipfile"),
        ("DELETE", "/modules"),
        ("POST", "/modules/ID/elsewhere"),
    ],
)
def test_a_path_below_a_module_that_is_not_there_changes_nothing(cmp, method, path):
    module_id = made(cmp, "")
    body = None if method in ("GET", "DELETE") else b"{}"
    assert refused(cmp, method, path.replace("ID", module_id), body)[0] == 404
    assert list(cmp.modules) == list(cmp.zips) == [module_id]


def test_logs_are_chosen_by_module_and_time_and_put_in_order(cmp):
    entries = [
        {"resource_id": "nflex-module-m", "timestamp": f"2026-01-0{day}T00:00:00.000000Z"}
        for day in (2, 1, 3)
    ]
    send(cmp, "POST", "/logs", [*entries, {"resource_id": "nflex-module-other"}])

    def days(query):
        found = call(cmp, "GET", f"/logs?resource_id=nflex-module-m{query}")["hits"]
        assert all(each["extra"] == {} for each in found)
        return [each["timestamp"][8:10] for each in found]

    assert days("") == ["01", "02", "03"]
    assert days("&order=desc") == ["03", "02", "01"]
    assert days("&start=2026-01-02&end=2026-01-02T12") == ["02"]


def test_accounts_are_those_of_the_test(cmp):
    cmp.accounts = [{"id": "a"}, {"id": "b"}]
    assert call(cmp, "GET", "/accounts") == cmp.accounts
    assert call(cmp, "GET", "/accounts/b") == {"id": "b"}
    assert refused(cmp, "GET", "/accounts/account-1")[0] == 404


def test_a_fault_is_met_once_by_calls_at_once(cmp):
    cmp.fail("POST", "/logs", 503, times=3)

    def post(_):
        try:
            return send(cmp, "POST", "/logs", [])
        except OSError as error:  # urllib's own are
            return error.code

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(post, range(16)))
    assert sorted(map(str, told)) == ["503"] * 3 + ["{}"] * 13
    assert cmp.requests == [("POST", "/logs")] * 16


def test_a_fault_is_only_of_its_method_and_path(cmp):
    cmp.fail("GET", "/accounts", 500)
    assert call(cmp, "GET", "/modules") == []
    assert send(cmp, "POST", "/logs", []) == {}
    assert refused(cmp, "GET", "/accounts/account-1")[0] == 500
