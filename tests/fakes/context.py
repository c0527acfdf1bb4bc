"""The runtime's context, as far as a poll looks at it; it remembers what the poll told it."""

import types


class State(dict):
    """``context.state``: get and set, kept in memory."""

    def set(self, key, value):
        self[key] = value


class Api:
    """The part of the CMP API that a poll calls: task updates and logs."""

    def __init__(self, status=200, lines=None):
        self.posts = []
        self.status = status
        self.lines = lines

    def post(self, path, data):
        if path == "/logs":
            self.lines += [f"{entry['severity'].lower()} {entry['message']}" for entry in data]
            return types.SimpleNamespace(status_code=200, content=b"")
        self.posts.append((path, data["percentage"]))
        return types.SimpleNamespace(status_code=self.status, content=b"")


class Context:
    """A context of production: what is logged goes to ``lines``, as "severity message"."""

    module_id = "m"

    def __init__(self, **config):
        self.config = config
        self.state = State()
        self.lines = []
        self.api = Api(lines=self.lines)
        self.headers = {}

    def set_response_header(self, key, value):
        self.headers[key] = value

    def logged(self, word):
        return [line for line in self.lines if word in line]
