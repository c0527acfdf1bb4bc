"""What is logged, how it is sent, and what never is."""

import base64
import io
import logging
import sys
import threading
import types

import pytest

from shared.engine import log as shared_log
from shared.engine import runtime
from shared.engine.event import origin
from shared.engine.log import Log
from shared.engine.masking import Masker, secrets_in
from shared.engine.runtime import Runtime

TARGET = "Target(customer: c,account: a, resource: None): "
EVENT = {"customer_id": "c", "account_id": "a"}
SECRET = "s3cr3t/+canary"


class Api:
    """The CMP API: keeps what is posted, and answers with each of the outcomes, the last for ever."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes) or [200]
        self.posts = []

    def post(self, path, data):
        self.posts.append((path, data))
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if callable(outcome):
            outcome = outcome()
        if isinstance(outcome, BaseException):
            raise outcome
        return types.SimpleNamespace(status_code=outcome, text="")

    def lines(self):
        return [(each["severity"], each["message"]) for _, data in self.posts for each in data]


class Context:
    """Of production."""

    module_id = "m"

    def __init__(self, *outcomes):
        self.api = Api(*outcomes)

    def log(self, message, severity):
        raise AssertionError("an HTTP call a line")


@pytest.fixture
def context():
    return Context()


def made(context, secrets=()):
    return Log(Runtime(context), origin(EVENT), Masker(secrets))


# --- lines ----------------------------------------------------------------------------------------


def test_one_event_a_line_with_its_fields(context):
    with made(context) as log:
        log.info("polled", scopes=3, seconds=1.234, why="two\nwords", none="", brace="{0}%s")
        log.warn("hm")
        log.error("oh", error=None)
    assert context.api.lines() == [
        ("INFO", f'{TARGET}polled scopes=3 seconds=1.2 why="two words" none="" brace={{0}}%s'),
        ("WARN", f"{TARGET}hm"),
        ("ERROR", f"{TARGET}oh error=None"),
    ]


def test_outside_production_lines_are_printed_as_they_come(capsys):
    with Log(Runtime(object()), origin("no event"), Masker()) as log:
        log.warn("hm")
        assert capsys.readouterr().out == "warn\tTarget(customer: ,account: , resource: None): hm\n"
    assert capsys.readouterr().out == ""


def test_the_header_names_the_resource(capsys):
    with Log(Runtime(None), origin({**EVENT, "resource": {"id": "i-1"}}), Masker()) as log:
        log.info("hm")
    assert capsys.readouterr().out == "info\tTarget(customer: c,account: a, resource: i-1): hm\n"


def test_the_header_is_masked_and_one_line(capsys):
    """The event is not checked yet when its values get there."""

    class Broken:
        def __str__(self):
            raise RecursionError

    event = {"customer_id": f"c\nd {SECRET}", "account_id": {"password": SECRET}}
    with Log(
        Runtime(None), origin({**event, "resource": {"id": Broken()}}), Masker([SECRET])
    ) as log:
        log.info("hm")
    assert capsys.readouterr().out == (
        "info\tTarget(customer: c d ***,account: {'password': '***'}, resource: RecursionError): hm\n"
    )


def test_a_value_that_can_not_be_shown(context):
    class Broken:
        def __str__(self):
            raise RuntimeError(SECRET)

    with made(context) as log:
        log.info("polled", what=Broken())
    assert context.api.lines() == [("INFO", f"{TARGET}polled error=RuntimeError")]


def test_a_closed_stdout_fails_no_poll(monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    with made(None) as log:
        log.info("hm")


# --- the logs API ---------------------------------------------------------------------------------


def test_a_poll_is_one_call(context):
    with made(context) as log:
        for number in range(shared_log.LINES - 1):
            log.info("line", number=number)
        assert context.api.posts == []
    ((path, entries),) = context.api.posts
    assert path == "/logs"
    assert [each["message"] for each in entries] == [
        f"{TARGET}line number={number}" for number in range(shared_log.LINES - 1)
    ]


def test_an_entry_is_what_flexer_posts(context):
    with made(context) as log:
        log.warn("hm")
    (((_, (entry,))),) = context.api.posts
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {
        "message": f"{TARGET}hm",
        "severity": "WARN",
        "service": "nflex.flexer",
        "resource_id": "nflex-module-m",
    }


def test_a_poll_without_lines_is_no_call(context):
    with made(context):
        pass
    assert context.api.posts == []


def test_many_lines_are_sent_on_the_way(context):
    with made(context) as log:
        for number in range(2 * shared_log.LINES + 1):
            log.info("line", number=number)
        assert [len(data) for _, data in context.api.posts] == [shared_log.LINES] * 2
    assert [len(data) for _, data in context.api.posts] == [shared_log.LINES] * 2 + [1]
    assert len({message for _, message in context.api.lines()}) == 2 * shared_log.LINES + 1


def test_long_lines_are_sent_on_the_way(context):
    with made(context) as log:
        for _ in range(20):
            log.info("x" * 19_000)
    sizes = [sum(len(each["message"]) for each in data) for _, data in context.api.posts]
    assert len(sizes) == 2 and max(sizes) < shared_log.CHARACTERS + shared_log.LONGEST_LINE


def test_a_line_is_not_endless(context):
    with made(context) as log:
        log.info("x" * (shared_log.LONGEST_LINE + 7))
    ((_, message),) = context.api.lines()
    assert message == f"{TARGET}{'x' * shared_log.LONGEST_LINE} ... (7 more characters)"


def test_lines_of_many_threads_are_all_there(context):
    together = threading.Barrier(8)

    def work(log, name):
        together.wait()
        for number in range(200):
            log.info("line", name=name, number=number)

    with made(context) as log:
        threads = [threading.Thread(target=work, args=(log, name)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(context.api.lines()) == len(set(context.api.lines())) == 1600
    assert len(context.api.posts) == 1600 / shared_log.LINES


def test_lines_after_the_poll_are_dropped(context):
    with made(context) as log:
        log.info("in time")
    for _ in range(shared_log.LINES):
        log.info("late")
    assert context.api.lines() == [("INFO", f"{TARGET}in time")]


@pytest.mark.parametrize(
    "outcome, why",
    [(503, "HTTP 503"), (401, "HTTP 401"), (RuntimeError(SECRET), "RuntimeError"),
     (SystemExit(SECRET), "SystemExit")],
)  # fmt: skip
def test_a_failing_api_fails_no_poll_and_loses_no_line(outcome, why, capsys):
    context = Context(outcome)
    with made(context) as log:
        for number in range(shared_log.LINES + 1):
            log.info("line", number=number)
    assert len(context.api.posts) == 1  # once is enough
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == (
        f"warn\tthe CMP logs API did not take the log ({why}); it is printed from here on"
    )
    assert lines == [f"info\t{TARGET}line number={n}" for n in range(shared_log.LINES + 1)]


def test_an_api_that_fails_later(capsys):
    context = Context(200, 503)
    with made(context) as log:
        for number in range(shared_log.LINES + 1):
            log.info("line", number=number)
    assert [len(data) for _, data in context.api.posts] == [shared_log.LINES, 1]
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"info\t{TARGET}line number={shared_log.LINES}"
    ]


def test_an_api_that_hangs_holds_up_no_poll(monkeypatch, capsys):
    monkeypatch.setattr(runtime, "CALL_S", 0.01)
    monkeypatch.setattr(runtime, "LAST_CALL_S", 0.01)
    go_on = threading.Event()
    with made(Context(lambda: go_on.wait() and 200)) as log:
        log.info("hm")
    go_on.set()
    assert capsys.readouterr().out.splitlines() == [
        "warn\tthe CMP logs API did not take the log (no answer in 0.01 s); it is printed from here on",
        f"info\t{TARGET}hm",
    ]


def test_what_sending_logs_waits_for_nothing(context):
    """The client of the API is a library too."""

    def outcome():
        logging.getLogger("urllib3").warning("retrying")
        return 200

    context.api.outcomes = [outcome]
    with made(context) as log:
        for _ in range(shared_log.LINES):
            log.info("hm")
    assert len(context.api.posts) == 2
    assert context.api.lines()[-1] == ("WARN", f"{TARGET}urllib3: retrying")


def test_a_context_without_an_api_gets_all_lines_at_once():
    told = []
    context = types.SimpleNamespace(module_id="m", log=lambda *args: told.append(args))
    with made(context) as log:
        log.info("one")
        log.error("two")
        log.warn("three")
    assert told == [(f"{TARGET}one\n{TARGET}two\n{TARGET}three", "error")]


# --- what libraries log ---------------------------------------------------------------------------


@pytest.fixture
def root():
    """The root logger, with a handler that must see nothing during a poll."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    seen = logging.Handler()
    seen.lines = []
    seen.emit = lambda record: seen.lines.append(record.getMessage())
    logger.addHandler(seen)
    logger.setLevel(logging.DEBUG)
    logger.seen = seen.lines
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.parametrize("name", ["botocore.hooks", "urllib3.connectionpool", "websocket", "root"])
def test_what_a_library_logs_is_in_the_log_and_masked(context, root, name):
    library = logging.getLogger(name if name != "root" else None)
    with made(context, [SECRET]) as log:
        library.info("not this")
        library.warning("Retrying %s\nafter %d", f"/v3?token={SECRET}", 3)
        log.info("polled")
        library.error("with %s", SECRET)
    assert context.api.lines() == [
        ("WARN", f"{TARGET}{name}: Retrying /v3?token=*** after 3"),
        ("INFO", f"{TARGET}polled"),
        ("ERROR", f"{TARGET}{name}: with ***"),
    ]
    assert root.seen == []


def test_the_traceback_of_a_library_is_masked(context, root):
    with made(context, [SECRET]):
        try:
            raise ValueError(f"no access with {SECRET}")
        except ValueError:
            logging.getLogger("botocore").exception("failed")
    ((severity, line),) = context.api.lines()
    assert severity == "ERROR"
    assert line.startswith(f"{TARGET}botocore: failed Traceback (most recent call last): ")
    assert line.endswith("ValueError: no access with ***")


def test_arguments_that_do_not_fit_are_not_shown(context, root, capsys):
    with made(context):
        logging.getLogger("urllib3").warning("%d", SECRET)
    ((_, line),) = context.api.lines()
    assert line.startswith(f"{TARGET}urllib3: TypeError in test_log:")
    assert SECRET not in "".join(capsys.readouterr())


def test_the_root_logger_is_as_it_was(context, root):
    before = list(root.handlers)
    with made(context):
        assert len(root.handlers) == 1 and root.level == logging.WARNING
    assert (root.handlers, root.level) == (before, logging.DEBUG)
    with pytest.raises(KeyError), made(context):
        raise KeyError("a poll that fails")
    assert (root.handlers, root.level) == (before, logging.DEBUG)
    logging.getLogger("urllib3").warning("after")
    assert root.seen == ["after"]


def test_polls_side_by_side(root):
    """A library's line is in one log and shows no secret of either; the last restores the logger."""
    before, one, two = list(root.handlers), Context(), Context()
    first, second = made(one, ["f1rst"]), made(two, ["sec0nd"])
    first.__enter__()
    second.__enter__()
    logging.getLogger("urllib3").warning("f1rst sec0nd")
    first.__exit__(None, None, None)
    logging.getLogger("urllib3").warning("on")
    assert root.handlers != before
    second.__exit__(None, None, None)
    shared_log._of_thread.set(
        None
    )  # they did not end in reverse, so that it is the first one again
    assert (root.handlers, root.level) == (before, logging.DEBUG)
    assert one.api.lines() == []
    assert [line for _, line in two.api.lines()] == [
        f"{TARGET}urllib3: *** ***",
        f"{TARGET}urllib3: on",
    ]


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "OS_PASSWORD",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_access_key_id",
        "application_credential_secret",
        "token",
        "external_id",
    ],
)
def test_each_credential_that_is_a_secret_is_masked(name):
    mask = Masker(secrets_in({name: "s3cr3t/+canary", "user": "bob"}))
    assert mask("bob has s3cr3t/+canary or s3cr3t%2F%2Bcanary") == "bob has *** or ***"


def test_nested_and_padded_secrets_are_masked():
    mask = Masker(secrets_in({"auth": {"password": " pad-ded\n"}, "tokens": ["one-token"]}))
    assert mask("x pad-ded one-token") == "x *** ***"


def test_a_secret_in_json_is_masked():
    assert Masker(secrets_in({"password": 'quo"te'}))('{"p": "quo\\"te"}') == '{"p": "***"}'


@pytest.mark.parametrize(
    "text",
    [
        "https://host/v3?password=p%40ss%20w%C3%B6rd%2F%2B&x=1",
        "https://host/v3?q=p%40ss+w%C3%B6rd%2F%2B",
        "https://host/p%40ss%20w%C3%B6rd/%2B",
        '{"password": "p@ss w\\u00f6rd/+"}',
        '{"password": "p@ss wörd/+"}',
        "KeyError('p@ss wörd/+')",
        "Authorization: Basic " + base64.b64encode("bob:p@ss wörd/+".encode()).decode(),
        "Basic " + base64.b64encode("bob:p@ss wörd/+".encode("latin-1")).decode(),
        "X-Secret: " + base64.b64encode("p@ss wörd/+".encode()).decode(),
    ],
)
def test_however_a_secret_is_written(text):
    masked = Masker(secrets_in({"username": "bob", "password": "p@ss wörd/+"}))(text)
    assert "***" in masked
    for part in ("ss", "rd", "%2B", "Ym9i", "cEBz"):
        assert part not in masked.replace("password", "").replace("Basic", "").replace("https", "")


def test_a_secret_of_several_lines():
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhk\nabcdefghijklmnop\n-----END KEY-----\n"
    mask = Masker(secrets_in({"client_key": key}))
    for text in (key, key.replace("\n", "\r\n"), key.replace("\n", " "), key.replace("\n", "\\n")):
        assert "MIIE" not in mask(text) and "abcd" not in mask(text)


def test_a_secret_of_several_lines_in_a_field(context):
    with made(context, secrets_in({"password": "one\r\ntwo"})) as log:
        log.info("hm", why="it is one\r\ntwo")
    assert context.api.lines() == [("INFO", f'{TARGET}hm why="it is ***"')]


def test_the_same_text_as_secret_and_user_name():
    for credentials in ({"username": "admin", "password": "admin"},
                        {"password": "admin", "username": "admin"},
                        {"all": [{"password": "admin"}, {"username": "admin"}]}):  # fmt: skip
        assert Masker(secrets_in(credentials))("admin") == "***"


@pytest.mark.parametrize(
    "text, masked",
    [
        ("GET /v3?limit=10&X-Amz-Signature=abc&marker=m", "GET /v3?limit=10&X-Amz-Signature=***&marker=m"),
        ("https://h/?access_token=abc#top", "https://h/?access_token=***#top"),
        ("https://h/?X-Amz-Credential=abc%2F2026 x", "https://h/?X-Amz-Credential=*** x"),
        ("https://h/?a=1;password=abc", "https://h/?a=1;password=***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("authorization: Token 0123abc", "authorization: Token ***"),
        ("{'Authorization': b'Basic YWI6Y2Q=', 'Accept': 'x'}", "{'Authorization': b'Basic ***', 'Accept': 'x'}"),
        ('{"X-Auth-Token": "0123abc", "Accept": "x"}', '{"X-Auth-Token": "***", "Accept": "x"}'),
        ("X-Subject-Token: 0123abc\nVary: x", "X-Subject-Token: ***\nVary: x"),
        ("Set-Cookie: session=abc; Path=/\nVary: x", "Set-Cookie: ***\nVary: x"),
        ("{'Cookie': 'a=b; c=d', 'x': 'y'}", "{'Cookie': '***', 'x': 'y'}"),
    ],
)  # fmt: skip
def test_urls_and_headers(text, masked):
    assert Masker()(text) == masked


def test_the_longer_secret_goes_first():
    assert Masker(secrets_in({"password": "abc", "token": "abcdef"}))("abcdef abc") == "*** ***"


@pytest.mark.parametrize(
    "text",
    [
        "gAAAAABl" + "x" * 40,
        "eyJhbGciOi.eyJzdWIi.c2ln",
        "AKIA" + "A" * 16,
        "https://user:pass@host/",
        "Signature=" + "ab" * 32,
    ],
)
def test_what_looks_like_a_secret_is_masked_though_it_is_not_in_the_event(text):
    masked = Masker()(f"got {text}")
    assert "***" in masked and text not in masked


def test_common_words_stay_readable():
    text = "eu-west-1: https://host:5000/v3?limit=2&marker=m said 403 for user reader: no token, 3 keys"
    assert Masker(secrets_in({"user": "reader", "region_name": "eu-west-1"}))(text) == text
