"""Events, good and bad: what is wrong is named, and no value of a credential is shown."""

import types

import pytest

from shared.engine import event as events
from shared.engine.errors import InvalidEvent
from shared.engine.runtime import Runtime

SECRET = "s3cr3t-canary"
AWS = {"aws_access_key_id": "AKIAINVENTED", "aws_secret_access_key": SECRET}
PROVIDERS = ("aws", "openstack")


def parse(event, **kwargs):
    return events.parse(event, PROVIDERS, **kwargs)


@pytest.mark.parametrize(
    "provider", ["aws", "AWS", " aws ", {"type": "aws"}, {"name": "AWS"}, None, "", {}]
)
def test_the_provider_in_each_form(provider):
    assert parse({"provider": provider, "credentials": AWS}).provider == "aws"


@pytest.mark.parametrize("key", ["auth_url", "OS_AUTH_URL"])
def test_openstack_is_told_by_its_credentials(key):
    assert parse({"credentials": {key: "https://keystone.example"}}).provider == "openstack"


@pytest.mark.parametrize(
    "event, words",
    [
        (None, "the event should be an object, but is NoneType"),
        ("text", "the event should be an object, but is str"),
        ([], "the event should be an object, but is list"),
        ({"provider": "aws"}, "'credentials' is missing; expected an object"),
        ({"provider": "aws", "credentials": {}}, "'credentials' is empty"),
        ({"provider": "aws", "credentials": SECRET}, "'credentials' should be an object"),
        ({"provider": "aws", "credentials": [SECRET]}, "'credentials' should be an object"),
        ({"provider": "azure", "credentials": AWS}, r"'azure' is not one .* \(aws, openstack\)"),
        ({"provider": "../../os", "credentials": AWS}, "is not one that this family polls"),
        ({"provider": 7, "credentials": AWS}, "'provider' should be a name"),
        ({"credentials": {"url": "https://x"}}, "'provider' is missing"),
        ({"credentials": {**AWS, "auth_url": "https://x"}}, "'provider' is missing"),
        ({"credentials": AWS, "options": "all"}, "'options' should be an object"),
        (
            {"credentials": AWS, "options": {"allow_partial": "yes"}},
            "allow_partial' should",
        ),
        ({"credentials": AWS, "options": {"deadline_s": "9"}}, "deadline_s' should be a"),
        ({"credentials": AWS, "options": {"deadline_s": True}}, "deadline_s' should be a"),
        ({"credentials": AWS, "options": {"deadline_s": 0}}, "number of seconds above 0"),
        ({"credentials": AWS, "options": {"deadline_s": 10**400}}, "deadline_s' is too large"),
        ({"credentials": AWS, "account_id": 7}, "'account_id' should be text"),
        ({"credentials": AWS, "task_id": {}}, "'task_id' should be text"),
    ],
)
def test_what_is_wrong_is_named(event, words):
    with pytest.raises(InvalidEvent, match=words) as caught:
        parse(event)
    assert SECRET not in str(caught.value)


def test_a_request_does_not_show_its_credentials():
    assert SECRET not in repr(parse({"credentials": AWS}))


def test_credentials_may_be_left_out_only_where_the_operator_says_so():
    assert parse({"provider": "aws"}, ambient=True).credentials == {}
    for config, allowed in [
        ({"ambient_credentials": True}, True),
        ({"ambient_credentials": "true"}, False),
        ({}, False),
        (None, False),
    ]:
        context = types.SimpleNamespace(config=config)
        assert Runtime(context).ambient_credentials is allowed
    assert Runtime(None).ambient_credentials is False


@pytest.mark.parametrize("given", ["600", True, -1, 0, float("nan"), 10**400])
def test_a_runtime_with_a_wrong_deadline_is_told(given):
    request = parse({"credentials": AWS})
    with pytest.raises(InvalidEvent, match="context.config.deadline_s"):
        Runtime(types.SimpleNamespace(config={"deadline_s": given})).start(request)


def test_text_credentials():
    raw = {"a": " x ", "b": "", "c": 7, "d": None}
    assert events.text_credential(raw, "a") == "x"
    assert [events.text_credential(raw, name) for name in "bde"] == [None] * 3
    with pytest.raises(InvalidEvent, match="credentials.c should be text, but is int"):
        events.text_credential(raw, "c")
    for name in "bde":
        with pytest.raises(InvalidEvent, match=f"credentials.{name} is missing or empty"):
            events.needed_credential(raw, name)


@pytest.mark.parametrize(
    "value, flag",
    [(True, True), (False, False), ("true", True), ("False", False), (None, True)],
)
def test_flag_credentials(value, flag):
    assert events.flag_credential({"verify": value}, "verify", True) is flag


@pytest.mark.parametrize("value", ["no", 0, []])
def test_a_flag_is_not_guessed(value):
    with pytest.raises(InvalidEvent, match="credentials.verify should be true or false"):
        events.flag_credential({"verify": value}, "verify", True)


def test_a_flag_has_the_default_of_its_provider():
    assert events.flag_credential({}, "verify", False) is False
    assert events.flag_credential({"verify": " TRUE "}, "verify", False) is True


def test_credentials_that_are_sent_in_a_header():
    assert events.header_credential({"token": " !a~ "}, "token") == "!a~"
    assert events.header_credential({}, "token") is None
    for value in ("a b", "é", "a\tb"):
        with pytest.raises(InvalidEvent) as caught:
            events.header_credential({"token": value}, "token")
        assert caught.value.message == (
            "credentials.token should have no blanks and only ASCII characters"
        )


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\0", "\x1f", "\x7f", "\x9f", "\u2028", "\ud800"]
)
@pytest.mark.parametrize(
    "nest",
    [
        lambda text: text,
        lambda text: ["x", text],
        lambda text: {"in": (text,)},
        lambda text: {text: 1},
    ],
)
def test_no_text_of_credentials_has_a_control_character(character, nest):
    events.check_texts({"name": nest("a b-é")})
    with pytest.raises(InvalidEvent) as caught:
        events.check_texts({"other": "x", "name": nest(f"a{character}b")})
    assert caught.value.message == (
        "credentials.name has a line break, a control character or half of a surrogate pair"
    )


@pytest.mark.parametrize("name", ["ca_cert", "cacert", "OS_CACERT"])
def test_certificates_have_lines(name):
    events.check_texts({name: "-----BEGIN\r\n\tx\n"})
    with pytest.raises(InvalidEvent):
        events.check_texts({name: "-----BEGIN\0"})


def test_the_name_of_a_credential_is_shown_in_ascii():
    with pytest.raises(InvalidEvent, match=r"^credentials\.a\\n\\xe9 has a line break"):
        events.check_texts({"a\né": "x"})


@pytest.mark.parametrize(
    "key, hint",
    [
        ("Region", "did you mean 'region'?"),
        ("regoin", "did you mean 'region'?"),
        ("xyz", "known keys: project, region"),
        (7, "known keys: project, region"),
    ],
)
def test_an_unknown_key_is_not_ignored(key, hint):
    events.refuse_unknown_keys("options", ["region", "project"], {"region", "project"})
    with pytest.raises(InvalidEvent) as caught:
        events.refuse_unknown_keys("options", ["region", key], {"region", "project"})
    assert caught.value.message == f"options.{key} is an unknown key; {hint}"


# --- what only some handlers use ------------------------------------------------------------------


@pytest.mark.parametrize(
    "event, ids",
    [
        ({}, None),
        ({"resource": {"id": "acc", "type": "account"}}, None),
        ({"resource": {"id": "i-1", "type": "server"}}, {"i-1"}),
        ({"resource": "i-1"}, {"i-1"}),
        ({"resources": ["i-1", {"id": "i-2"}]}, {"i-1", "i-2"}),
        ({"resources": []}, set()),
        ({"resource": {"id": "i-3"}, "resources": ["i-1"]}, {"i-1"}),
    ],
)
def test_the_requested_resources(event, ids):
    assert parse({"credentials": AWS, **event}, resources=True).resources == ids


@pytest.mark.parametrize(
    "event, words",
    [
        ({"resources": "i-1"}, "'resources' should be a list"),
        ({"resource": {"type": "server"}}, "should be an id or an object with one"),
        ({"resources": [7]}, "should be an id or an object with one"),
    ],
)
def test_requested_resources_that_are_none(event, words):
    with pytest.raises(InvalidEvent, match=words):
        parse({"credentials": AWS, **event}, resources=True)


def test_the_span_of_time():
    event = {"credentials": AWS, "last_update": "2026-01-31T11:30:00Z", "poll_interval": 60}
    request = parse(event, span=True)
    assert (request.last_update.isoformat(), request.poll_interval_s) == (
        "2026-01-31T11:30:00+00:00",
        60,
    )


@pytest.mark.parametrize("given", ["60", True, 0, -1, float("inf"), float("nan"), 10**400])
def test_an_interval_that_is_none(given):
    for event in ({"poll_interval": given}, {"resource": {"id": "a", "poll_interval": given}}):
        with pytest.raises(InvalidEvent, match="poll_interval' "):
            parse({"credentials": AWS, **event}, span=True)


def test_what_a_handler_does_not_use_is_the_platforms_business():
    odd = {"last_update": "yesterday", "poll_interval": "often", "resource": 7, "resources": 7}
    request = parse({"credentials": AWS, **odd, "poll_type": 7, "unheard_of": 7})
    assert (request.resources, request.last_update, request.poll_interval_s) == (None, None, None)


@pytest.mark.parametrize("event", [None, "text", [], {}, {"resource": "i-1"}])
def test_the_origin_of_any_event(event):
    assert events.origin(event) == events.Origin()
    assert events.credentials_of(event) is None
