"""What is logged, and what never is."""

import pytest

from shared.log import Log, Masker, secrets_in


class Context:
    module_id = "m"

    def __init__(self):
        self.lines = []

    def log(self, message, severity):
        self.lines.append((severity, message))


def test_one_event_a_line_with_its_fields():
    context = Context()
    log = Log(context, {"customer_id": "c", "account_id": "a"}, Masker())
    log.info("polled", scopes=3, seconds=1.234, why="two\nwords", none="")
    target = "Target(customer: c,account: a, resource: None): "
    assert context.lines == [
        ("info", f'{target}polled scopes=3 seconds=1.2 why="two words" none=""')
    ]


def test_outside_production_lines_are_printed(capsys):
    Log(object(), "no event", Masker()).warn("hm")
    assert capsys.readouterr().out == "warn\tTarget(customer: ,account: , resource: None): hm\n"


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
    text = "eu-west-1: https://host:5000/v3 said 403 for user reader"
    assert Masker(secrets_in({"user": "reader", "region_name": "eu-west-1"}))(text) == text
