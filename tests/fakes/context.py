"""The runtime's context, as far as a poll looks at it; it remembers what the poll told it."""

import types


class State(dict):
    """``context.state``: get and set, kept in memory."""

    def set(self, key, value):
        self[key] = value


class Api:
    """The part of the CMP API that a poll calls: task updates."""

    def __init__(self, status=200):
        self.posts = []
        self.status = status

    def post(self, path, data):
        self.posts.append((path, data["percentage"]))
        return types.SimpleNamespace(status_code=self.status, content=b"")


class Context:
    """A context of production: what is logged goes to ``lines``, as "severity message"."""

    module_id = "m"

    def __init__(self, **config):
        self.config = config
        self.state = State()
        self.api = Api()
        self.lines = []
        self.headers = {}

    def log(self, message, severity):
        self.lines.append(f"{severity} {message}")

    def set_response_header(self, key, value):
        self.headers[key] = value

    def logged(self, word):
        return [line for line in self.lines if word in line]
