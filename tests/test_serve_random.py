"""Whatever parameters come: each operation answers, or refuses as a problem; never an error of its own.

make test-schemathesis does far more of it, from the description alone.
"""

import json
import os

import pytest

pytest.importorskip("fastapi", reason="the REST service needs Python 3.10 and the extra [serve]")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving import BASE, copy_example, operations, service

EXAMPLES = int(os.environ.get("EXAMPLES", "60"))
TEXTS = st.one_of(
    st.sampled_from(
        [
            *(
                "shop",
                "lab",
                "servers",
                "server",
                "web-1",
                "i-9",
                "subnet-1",
                "10.4.3.17",
                "10.4.0.0/16",
            ),
            *(
                "stage=prod",
                "before the move",
                "now",
                "2h",
                "99999999w",
                "0001-01-01",
                "9999-12-31T23:59:59Z",
            ),
            *(
                "2026-01-01T10:05:00+23:59",
                "last",
                "baseline",
                "id",
                "field",
                "true",
                "1",
                "-1",
                "0",
                "1e9",
            ),
            *(
                "9223372036854775808",
                "\0",
                "%",
                "_",
                "'",
                '"',
                "\\",
                "\ud800",
                "::/0",
                "=",
                "*" * 1001,
            ),
        ]
    ),
    st.text(max_size=20),
)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    copy_example(folder)
    with service(folder / "shop.db", folder, writes=True) as found:
        found.csrf = found.get(f"{BASE}/session").json()["csrf"]
        found.known = sorted(each for each in operations(found) if not each[1].endswith("/events"))
        found.described = operations(found)
        yield found


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_no_parameters_make_an_error_of_our_own(client, data):
    method, path = data.draw(st.sampled_from(client.known), label="operation")
    names = [each["name"] for each in client.described[method, path].get("parameters", ())]
    names = [name for name in names if "{%s}" % name not in path]
    chosen = data.draw(st.lists(st.sampled_from(names or ["x"]), max_size=3, unique=True))
    if names and "id" in names and "id" not in chosen:
        chosen.append("id")
    params = {name: data.draw(TEXTS, label=name) for name in chosen}
    params = {name: text.encode("utf-8", "surrogatepass") for name, text in params.items()}
    body = None
    if method in ("POST", "PUT"):
        keys = st.sampled_from(["label", "at", "name", "account", "url", "token", "x"])
        body = data.draw(
            st.one_of(st.none(), st.dictionaries(keys, st.one_of(TEXTS, st.integers())))
        )
    url = path.replace("{label}", "x%00").replace("{name}", "%F0%9F%9A%80")
    headers = {"X-CSRF-Token": client.csrf, "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    answer = client.request(method, url, params=params, content=content, headers=headers)
    assert answer.status_code < 500, (method, path, params, body, answer.text)
    if answer.status_code >= 400:
        assert answer.json()["status"] == answer.status_code
