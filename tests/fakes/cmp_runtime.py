"""What the simulator of CMP runs a module with: a script for ``python -I -S``, standard library only.

After flexer 1.8.0's runner.py and context.py: the working folder and its lib in front of the path, a
context with the same attributes; whatever is raised (SystemExit too) becomes an error, and so does an
answer that is no JSON, but for values that flexer turns to null. Reads what to do as JSON from stdin; writes flexer's result to stdout.
"""

import importlib
import io
import json
import os
import sys
import traceback
import types
import urllib.error
import urllib.parse
import urllib.request
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, time, timezone


class Api:
    """``context.api``: calls on the CMP API; the answers have what requests' have, as far as used."""

    def __init__(self, url, token):
        self.url, self.token = url, token

    def call(self, method, path, data=None):
        asked = urllib.request.Request(  # noqa: S310 - on loopback
            self.url + path,
            method=method,
            data=None if data is None else json.dumps(data).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(asked) as answer:  # noqa: S310 - on loopback
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            status, content = refused.code, refused.read()
        return types.SimpleNamespace(
            status_code=status,
            content=content,
            text=content.decode(),
            json=lambda: json.loads(content),
        )

    def get(self, path, params=None):
        return self.call("GET", path + _query(params))

    def post(self, path, data):
        return self.call("POST", path, data)

    def put(self, path, data):
        return self.call("PUT", path, data)

    def patch(self, path, data):
        return self.call("PATCH", path, data)

    def delete(self, path, params=None):
        return self.call("DELETE", path + _query(params))


def _query(params):
    return "?" + urllib.parse.urlencode(params, doseq=True) if params else ""


class State:
    """``context.state``, kept by the platform."""

    def __init__(self, api, module_id):
        self.api, self.path = api, f"/modules/{module_id}/state"

    def get(self, key):
        return self.get_all().get(key)

    def get_all(self):
        answer = self.api.get(self.path)
        if answer.status_code != 200:
            raise Exception(f"Failed to read state: {answer.text}")
        return answer.json()

    def set(self, key, value):
        self.set_multi({key: value})

    def set_multi(self, updates):
        self._done(self.api.patch(self.path, updates))

    def delete(self, key):
        self.delete_multi([key])

    def delete_multi(self, keys):
        self._done(self.api.post(self.path + "/delete", keys))

    def _done(self, answer):
        if answer.status_code != 200:
            raise Exception(f"Failed to update state: {answer.text}")


class Context:
    def __init__(self, told):
        self.response_headers = {}
        self.config = told["config"]
        self.secrets = told["secrets"]
        self.customer_id = self.user_id = None
        self.user_name = ""
        self.region = self.platform = self.version = "simulated"
        self.module_id = told["module_id"]
        self.api = Api(told["api_url"], told["api_token"])
        self.api_url, self.api_auth, self.api_token = told["api_url"], None, told["api_token"]
        self.state = State(self.api, self.module_id)

    def log(self, message, severity="info"):
        entry = {
            "message": message,
            "severity": severity.upper(),
            "service": "nflex.flexer",
            "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "resource_id": f"nflex-module-{self.module_id}",
        }
        self.api.post("/logs", [entry])

    def set_response_header(self, key, value):
        self.response_headers[key] = value

    def mail(self, **_):
        raise NotImplementedError("the simulator sends no mail")

    def database(self, name):
        return None


def call(told, context):
    module_name, _, handler = told["handler"].rpartition(".")
    module = importlib.import_module(module_name)
    return getattr(module, handler)(told["event"], context)


def encoded(value):
    if isinstance(value, (datetime, time)):
        return value.isoformat()
    return None  # flexer's own has no word for anything else: null


def main():
    told = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a module's own programs print must not be taken for the answer
    sys.path[:0] = [os.getcwd(), os.path.join(os.getcwd(), "lib")]
    context = Context(told)
    printed = io.StringIO()
    result = {"value": None, "logs": "", "error": None}
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            result["value"] = call(told, context)
        except BaseException as error:
            trace = traceback.format_exc()
            kind = type(error).__name__
            result["error"] = {"exc_message": str(error), "exc_type": kind, "stack_trace": trace}
            print(trace)
    result["logs"] = printed.getvalue()
    if context.response_headers:
        result["headers"] = context.response_headers
    try:
        text = json.dumps(result, default=encoded)
    except Exception as error:
        message = f"An error occurred during JSON serialization of the result: {error}"
        kind = type(error).__name__
        error = {"exc_message": message, "exc_type": kind, "stack_trace": ""}
        text = json.dumps({**result, "value": None, "error": error})
    answer.write(text)
    answer.close()


if __name__ == "__main__":
    main()
