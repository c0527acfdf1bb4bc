"""tools/same_ids.py: what one server calls otherwise than another one, read off recorded responses."""

import json

import pytest
import yaml

from tools.same_ids import TIME, Different, Names


@pytest.fixture
def cassette(tmp_path):
    """Writes a cassette with these responses' bodies."""

    def write(name, *bodies):
        interactions = [
            {
                "request": {"uri": f"/{number}", "body": "", "headers": {}},
                "response": {"body": {"string": body}},
            }
            for number, body in enumerate(bodies)
        ]
        file = tmp_path / name
        file.write_text(yaml.safe_dump({"interactions": interactions}), encoding="utf-8")
        return file

    return write


def listing(*servers):
    return json.dumps({"servers": [dict(zip(("id", "name", "at"), each)) for each in servers]})


def test_items_of_a_listing_go_together_by_what_no_server_makes_up(cassette):
    new = listing(("aaaaaaaa", "web", "10.0.0.5"), ("bbbbbbbb", "db", "10.0.0.6"))
    first = listing(("cccccccc", "db", "10.0.0.5"), ("dddddddd", "web", "10.0.0.6"))
    names = Names()
    names.learn([(cassette("new", new), cassette("first", first))])
    assert names.known == {
        "aaaaaaaa": "dddddddd",
        "bbbbbbbb": "cccccccc",
        "10.0.0.5": "10.0.0.6",
        "10.0.0.6": "10.0.0.5",
    }


def test_a_later_response_tells_items_of_an_earlier_one_apart(cassette):
    ports = json.dumps({"ports": [{"of": "aaaaaaaa"}, {"of": "bbbbbbbb"}]})
    ports_first = json.dumps({"ports": [{"of": "cccccccc"}, {"of": "dddddddd"}]})
    new = listing(("aaaaaaaa", "web", ""), ("bbbbbbbb", "db", ""))
    first = listing(("cccccccc", "db", ""), ("dddddddd", "web", ""))
    names = Names()
    names.learn([(cassette("new", ports, new), cassette("first", ports_first, first))])
    assert names.known == {"aaaaaaaa": "dddddddd", "bbbbbbbb": "cccccccc"}


def test_xml_and_what_is_ignored(cassette):
    new = "<r><id>vpc-aaaaaaaa</id><at>2030-01-01T00:00:00Z</at></r>"
    first = "<r><id>vpc-bbbbbbbb</id><at>2026-11-21T00:00:00Z</at></r>"
    names = Names(ignored=TIME)
    names.learn([(cassette("new", new), cassette("first", first))])
    assert names.known == {"vpc-aaaaaaaa": "vpc-bbbbbbbb"}


@pytest.mark.parametrize(
    "new, first",
    [
        ('{"a": "x"}', '{"b": "x"}'),
        (listing(("aaaaaaaa", "web", "")), listing()),
        ('{"a": "aaaaaaaa", "b": "aaaaaaaa"}', '{"a": "bbbbbbbb", "b": "cccccccc"}'),
    ],
)
def test_servers_that_were_not_filled_alike(cassette, new, first):
    with pytest.raises(Different):
        Names().learn([(cassette("new", new), cassette("first", first))])
