"""The simulator of the CMP API is what the vendor's own command line (flexer 1.8.0, as it is) expects.

Each command is run against it as a process; what it prints and leaves is what the simulator holds.
"""

import base64
import io
import json
import urllib.error
import urllib.request
import zipfile

import pytest

from tests import vendor
from tests.fakes.cmp import Cmp

MAIN = """
import datetime
import sys

def get_resources(event, context):
    context.log("listing " + event["what"], "warn")
    print("printed")
    return [{"id": event["what"], "type": "server"}]

def fail(event, context):
    raise ValueError("no such thing")

def leave(event, context):
    sys.exit("gone")

def no_json(event, context):
    return {"a set": {1}, "a time": datetime.datetime(2026, 1, 2), "b": b""}

def bad_key(event, context):
    return {(1, 2): 3}

def remember(event, context):
    before = context.state.get_all()
    context.state.set("a", 1)
    context.state.set_multi({"b": 2, "c": 3})
    context.state.delete("a")
    context.state.delete_multi(["c"])
    context.set_response_header("x-seen", "yes")
    answer = context.api.post("/tasks/t-1/update", {"percentage": 40})
    return [before, context.state.get("b"), answer.status_code, context.config, sorted(sys.path[:2])]
"""


@pytest.fixture
def cmp():
    with Cmp(page_size=2) as made:
        yield made


@pytest.fixture
def flexer(cmp, tmp_path):
    """Runs flexer in an empty folder; gives the finished process."""
    vendor.needs_flexer()
    home, folder = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    folder.mkdir()

    def run(*arguments, secret=cmp.secret):
        return vendor.flexer(arguments, folder, home, cmp.url, cmp.key, secret)

    run.folder = folder
    return run


def packed(main=MAIN, name="main.py"):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr(name, main)
    return made.getvalue()


@pytest.fixture
def zip_file(tmp_path):
    file = tmp_path / "module.zip"
    file.write_bytes(packed())
    return file


@pytest.fixture
def module_id(cmp):
    """A module that was uploaded, by what flexer sends: a process of its own takes longer."""
    return upload(cmp, "one")


def upload(cmp, name):
    described = {**GOOD, "name": name, "event_source": "cmp-connector.resources"}
    module_id = call(cmp, "POST", "/modules", json.dumps(described).encode())["id"]
    call(cmp, "POST", f"/modules/{module_id}/zipfile", *form(packed()))
    return module_id


def execute(flexer, module_id, handler="get_resources", event="{}", *more):
    return flexer("execute", module_id, "--handler", handler, "--event", event, *more)


def test_upload(flexer, cmp, zip_file):
    done = flexer(
        "upload", "--name", "one", "--event-source", "cmp-connector.resources",
        "--language", "python3", "--zip", str(zip_file),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (module_id,) = cmp.modules
    assert done.stderr.strip() == f"Module created with ID {module_id}"
    assert cmp.zips[module_id] == zip_file.read_bytes()
    known = {key: cmp.modules[module_id][key] for key in GOOD}
    assert known == {**GOOD, "name": "one", "event_source": "cmp-connector.resources"}


def test_list_reads_all_pages(flexer, cmp, module_id):
    for name in ("two", "three", "four", "five"):
        upload(cmp, name)
    done = flexer("list")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()[1:]
    assert [line[39:].split()[0] for line in lines] == ["one", "two", "three", "four", "five"]


def test_get(flexer, module_id):
    done = flexer("get", module_id)
    assert json.loads(done.stderr)["name"] == "one"


def test_download(flexer, module_id):
    done = flexer("download", module_id)
    assert done.returncode == 0, done.stderr
    assert (flexer.folder / "main.py").read_text() == MAIN


def test_update(flexer, module_id, cmp, tmp_path):
    (tmp_path / "new.zip").write_bytes(packed("def get_resources(e, c):\n    return [7]\n"))
    (tmp_path / "handlers.json").write_text('[{"handler": "main.x"}]')
    done = flexer(
        "update", module_id, "--zip", str(tmp_path / "new.zip"), "--language", "python3",
        "--handlers", str(tmp_path / "handlers.json"), "--description", "newer",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    module = cmp.modules[module_id]
    assert (module["description"], module["handlers"]) == ("newer", [{"handler": "main.x"}])
    assert json.loads(execute(flexer, module_id).stdout) == [7]


def test_execute(flexer, module_id):
    done = execute(flexer, module_id, event='{"what": "web"}')
    assert json.loads(done.stdout) == [{"id": "web", "type": "server"}]
    assert "printed" in done.stderr


@pytest.mark.parametrize(
    "handler", ["get_resources", "fail", "leave", "missing", "no_json", "bad_key"]
)
def test_a_module_ends_there_as_in_the_vendors_own_runner(flexer, module_id, handler):
    """The same handler by `flexer execute` and by `flexer run`, which is the runtime's code."""
    (flexer.folder / "main.py").write_text(MAIN)
    there = json.loads(execute(flexer, module_id, handler, '{"what": "web"}').stdout)
    here = json.loads(flexer("run", handler, "--event", '{"what": "web"}').stdout)
    if "exc_type" in here:
        assert there["exc_type"] == here["exc_type"]
        if handler != "missing":  # whose words are the runner's own
            assert there["exc_message"] == here["exc_message"]
    else:
        assert there == here


def test_execute_without_waiting(flexer, module_id, cmp):
    done = execute(flexer, module_id, "get_resources", '{"what": "later"}', "--async")
    assert (done.returncode, done.stdout) == (0, "")
    cmp.wait()
    assert [entry["message"] for entry in cmp.logs] == ["listing later"]


def test_logs(flexer, module_id, cmp):
    execute(flexer, module_id, event='{"what": "web"}')
    cmp.logs.append({**cmp.logs[0], "resource_id": "nflex-module-another"})
    done = flexer("logs", module_id)
    (line,) = done.stderr.splitlines()
    assert line.endswith("[WARN ] listing web")


def test_state_tasks_and_headers(module_id, cmp):
    cmp.config[module_id] = {"deadline_s": 60}
    body = json.dumps({"handler": "main.remember", "event": {}}).encode()
    told = call(cmp, "POST", f"/modules/{module_id}/execute", body)
    before, b, status, config, path = told["value"]
    assert (before, b, status, config) == ({}, 2, 200, {"deadline_s": 60})
    assert path[1] == path[0] + "/lib"
    assert told["headers"] == {"x-seen": "yes"}
    assert cmp.state[module_id] == {"b": 2}
    assert cmp.tasks["t-1"] == [40]


def test_delete(flexer, module_id, cmp):
    done = flexer("delete", module_id)
    assert done.stdout == f"Module {module_id} successfully deleted\n"
    assert cmp.modules == {}
    gone = flexer("get", module_id)
    assert gone.returncode == 1
    assert "404" in gone.stderr


def test_a_wrong_secret(flexer, cmp):
    done = flexer("list", secret="another")
    assert done.returncode == 1
    assert "401" in done.stderr


# --- what flexer does not ask for, but tests do ---------------------------------------------------


def call(cmp, method, path, body=None, content_type="application/json", token=Cmp.token):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": content_type}
    asked = urllib.request.Request(cmp.url + path, data=body, method=method, headers=headers)  # noqa: S310 - on loopback
    with urllib.request.urlopen(asked) as answer:  # noqa: S310 - on loopback
        return json.loads(answer.read())


def refused(cmp, *asked, **more):
    with pytest.raises(urllib.error.HTTPError) as error:
        call(cmp, *asked, **more)
    return error.value.code, json.loads(error.value.read())["message"]


GOOD = {"name": "a", "event_source": "timer", "language": "python3", "file_type": "zip"}


def form(content):
    """The body of an upload of this file, and its type."""
    text = (
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(content) + b"\r\n--B--\r\n"
    )
    return text, "multipart/form-data; boundary=B"


@pytest.mark.parametrize(
    "key, value", [("name", ""), ("event_source", "x"), ("language", "c"), ("file_type", "tar")]
)
def test_a_module_that_is_not_well_described(cmp, key, value):
    status, message = refused(cmp, "POST", "/modules", json.dumps({**GOOD, key: value}).encode())
    assert (status, message.split(":")[0]) == (400, key)
    assert cmp.modules == {}


@pytest.mark.parametrize(
    "content, told",
    [(b"no zip", "no zip file"), (packed(name="lib/main.py"), "no main.py at its root")],
    ids=["no zip", "main.py elsewhere"],  # a zip's own text would have the time in it
)
def test_a_file_that_is_no_module(cmp, content, told):
    module_id = call(cmp, "POST", "/modules", json.dumps(GOOD).encode())["id"]
    status, message = refused(cmp, "POST", f"/modules/{module_id}/zipfile", *form(content))
    assert status == 400
    assert told in message
    assert cmp.zips == {}


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/modules/nobody"),
        ("POST", "/modules/nobody/execute"),
        ("DELETE", "/modules/nobody"),
        ("GET", "/accounts/nobody"),
        ("GET", "/elsewhere"),
    ],
)
def test_what_is_not_there(cmp, method, path):
    assert refused(cmp, method, path, b"{}" if method == "POST" else None)[0] == 404


def test_accounts(cmp):
    (account,) = call(cmp, "GET", "/accounts")
    assert call(cmp, "GET", f"/accounts/{account['id']}") == account


def test_a_wrong_token(cmp):
    assert refused(cmp, "GET", "/modules", token="another") == (401, "not authenticated")


def test_faults_come_as_often_as_asked_for(cmp):
    cmp.fail("GET", "/modules", 503, times=2)
    assert [refused(cmp, "GET", "/modules")[0] for _ in range(2)] == [503, 503]
    assert call(cmp, "GET", "/modules") == []
