"""AWS Lambda's side of its runtime API on loopback, and a function that AWS's own client runs.

The server is a simulator of what the Lambda service (or its runtime interface emulator) does, written
from the API's reference ("Using the Lambda runtime API for custom runtimes"): one function, one event
after the other. The other side is real: awslambdaric, the client that Lambda's Python images start.
It can't show Lambda's limits (time, memory, 6 MB of answer), its roles, or its own network.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "/2018-06-01/runtime"
PATIENCE_S = 120  # not how long anything should take: a function that hangs must not hang the tests


class Function:
    """A running function: ``invoke`` gives its answer or its error, as Lambda would."""

    def __init__(self, port):
        self.port = port
        self.events = queue.Queue()
        self.answers = queue.Queue()

    def invoke(self, event, seconds=60):
        """("response" or "error", what came); ``seconds`` is the function's time-out."""
        self.events.put((str(uuid.uuid4()), seconds, event))
        return self.answers.get(timeout=PATIENCE_S)


@contextlib.contextmanager
def function(folder, handler, home):
    """The handler of an unpacked module, in a process as Lambda starts it, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    made = Function(server.server_address[1])
    server.RequestHandlerClass = _handler(made)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{made.port}",
        "AWS_LAMBDA_FUNCTION_NAME": "servers",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "LAMBDA_TASK_ROOT": str(folder),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "awslambdaric", handler],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield made
    finally:
        process.kill()
        made.printed = process.communicate()[0]
        made.events.put(None)
        server.shutdown()
        server.server_close()


def _handler(made):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            assert self.path == f"{VERSION}/invocation/next", self.path
            given = made.events.get()
            if given is None:
                self.close_connection = True
                return
            request_id, seconds, event = given
            self.answer(
                200,
                event,
                {
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": (
                        "arn:aws:lambda:us-east-1:123456789012:function:servers"
                    ),
                },
            )

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.answers.put((self.path.rsplit("/", 1)[1], json.loads(body)))
            self.answer(202, {"status": "OK"})

        def answer(self, status, document, headers=()):
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler
