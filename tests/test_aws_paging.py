"""AWS's listings, page by page, from clients that exist only here: complete, or an error."""

import types

import botocore.exceptions
import pytest

from shared.engine.errors import UnexpectedResponse
from shared.providers.aws import paging


def refused(code):
    return botocore.exceptions.ClientError({"Error": {"Code": code}}, "DescribeThings")


class Client:
    """Answers calls of any operation in turn, with a response or an error; ``calls`` are their parameters."""

    def __init__(self, answers, parameters=("NextToken", "MaxResults", "Filters")):
        self.answers = iter(answers)
        self.calls = []
        shape = types.SimpleNamespace(members=parameters) if parameters else None
        self.meta = types.SimpleNamespace(
            endpoint_url="https://user:pw@things.example/?x=1",
            method_to_api_mapping={"describe_things": "DescribeThings"},
            service_model=types.SimpleNamespace(
                operation_model=lambda name: types.SimpleNamespace(
                    input_shape={"DescribeThings": shape}[name]
                )
            ),
        )

    def describe_things(self, **params):
        self.calls.append(params)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Session:
    def __init__(self, client, offered=True, endpoint_url=None):
        self.clients = {("ec2", "eu-west-1"): client}
        self.credentials = types.SimpleNamespace(endpoint_url=endpoint_url)
        self.offered = offered
        self.notes = []

    def client(self, service, region):
        return self.clients[service, region]

    def offers(self, service, region):
        assert (service, region) == ("ec2", "eu-west-1")
        return self.offered

    def note(self, what, **facts):
        self.notes.append((what, facts))


def scope_of(client, **session):
    return types.SimpleNamespace(
        name="eu-west-1",
        session=Session(client, **session),
        workers=types.SimpleNamespace(map=lambda function, items: list(map(function, items))),
    )


def listing(*answers, parameters=("NextToken", "MaxResults", "Filters")):
    client = Client(answers, parameters)
    return scope_of(client), client


LISTING = ("ec2", "describe_things", "Things")


def things(*ids, token=None, name="NextToken"):
    return {"Things": [{"Id": each} for each in ids], **({name: token} if token else {})}


def ids(pages):
    return [record["Id"] for page in pages for record in page]


# The names in the requests and the responses of EC2, of Direct Connect, of EFS and of load balancers.
@pytest.mark.parametrize(
    "request_token, response_token, size",
    [
        ("NextToken", "NextToken", "MaxResults"),
        ("nextToken", "nextToken", "maxResults"),
        ("Marker", "NextMarker", "MaxItems"),
        ("Marker", "NextMarker", "PageSize"),
    ],
)
def test_every_page_is_fetched_whatever_the_tokens_name(request_token, response_token, size):
    scope, client = listing(
        things("a", "b", token="t1", name=response_token),
        things("c", token="t2", name=response_token),
        things("d"),
        parameters=("Owner", request_token, size),
    )
    assert ids(paging.pages(scope, *LISTING, page_size=7, Owner="me")) == ["a", "b", "c", "d"]
    first = {"Owner": "me", size: 7}
    assert client.calls == [
        first,
        {**first, request_token: "t1"},
        {**first, request_token: "t2"},
    ]


def test_a_page_has_1000_records_where_nobody_says_otherwise():
    scope, client = listing(things())
    list(paging.pages(scope, *LISTING))
    assert client.calls == [{"MaxResults": 1000}]


@pytest.mark.parametrize("parameters", [(), ("Owner",), ("MaxResults",)])
def test_an_operation_without_pages_is_one_call(parameters):
    scope, client = listing(things("a", token="t1"), parameters=parameters)
    assert ids(paging.pages(scope, *LISTING)) == ["a"]
    assert client.calls == [{}]


def test_empty_pages_do_not_end_a_listing():
    scope, _ = listing(things(token="t1"), things(token="t2"), things("a"))
    assert ids(paging.pages(scope, *LISTING)) == ["a"]


@pytest.mark.parametrize("tokens", [["t1", "t1"], ["t1", "t2", "t1"]])
def test_a_token_that_comes_again_is_a_loop(tokens):
    scope, client = listing(*(things("a", token=token) for token in tokens), things("b"))
    with pytest.raises(UnexpectedResponse) as caught:
        list(paging.pages(scope, *LISTING))
    assert caught.value.message == "https://things.example/: describe_things pages in a loop"
    assert len(client.calls) == len(tokens)


def test_a_response_without_the_list_is_not_an_empty_list():
    scope, _ = listing({"NextToken": "t1"})
    with pytest.raises(UnexpectedResponse) as caught:
        list(paging.pages(scope, *LISTING))
    assert caught.value.message == "https://things.example/: describe_things gave no Things"


@pytest.mark.parametrize("token", [7, ["t"], {"a": 1}])
def test_a_token_that_is_no_text_is_refused(token):
    scope, _ = listing(things("a", token=token))
    with pytest.raises(UnexpectedResponse, match="field 'NextToken' should be text"):
        list(paging.pages(scope, *LISTING))


OLD = refused("InvalidNextToken")


def test_a_listing_whose_token_is_too_old_starts_again_and_forgets():
    again = [things("a", token="t1"), OLD, things("b", token="t1"), things("c")]
    scope, client = listing(*again)
    assert paging.listed(scope, *LISTING, Owner="me") == [{"Id": "b"}, {"Id": "c"}]
    assert client.calls[2] == {"Owner": "me", "MaxResults": 1000}
    scope, _ = listing(*again)
    restarts = []
    pages = paging.requested_pages(
        scope, *LISTING[1:], "thing-id", None, restarted=lambda: restarts.append(1)
    )
    assert ids(pages) == ["a", "b", "c"]
    assert restarts == [1]


def test_a_listing_starts_again_three_times_and_no_more():
    once = [things("a", token="t1"), OLD]
    scope, client = listing(*once * 3, things("b"))
    assert ids(paging.pages(scope, *LISTING)) == ["a", "a", "a", "b"]
    scope, client = listing(*once * 4)
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidNextToken"):
        list(paging.pages(scope, *LISTING))
    assert len(client.calls) == 8


def test_another_refusal_is_an_error_at_once():
    scope, client = listing(things("a", token="t1"), refused("AccessDenied"), things("b"))
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        list(paging.pages(scope, *LISTING))
    assert len(client.calls) == 2


def test_a_whole_listing_keeps_what_is_wanted_of_a_record():
    scope, _ = listing(things("a", token="t1"), things("b"))
    assert paging.listed(scope, *LISTING, keep=lambda record: record["Id"]) == ["a", "b"]


# --- some of a listing ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Filters", "Filter"])
def test_filters_have_200_values_at_most(name):
    values = [f"i-{number:03}" for number in range(401)]
    scope, client = listing(things("a"), things("b"), things("c"), parameters=(name,))
    pages = paging.filtered(scope, *LISTING[1:], "thing-id", reversed(values), Owner="me")
    assert ids(pages) == ["a", "b", "c"]
    assert [call["Owner"] for call in client.calls] == ["me"] * 3
    assert [call[name] for call in client.calls] == [
        [{"Name": "thing-id", "Values": values[start : start + 200]}] for start in (0, 200, 400)
    ]


def test_few_requested_ids_are_a_filter():
    scope, client = listing(things("i-1"))
    requested = ["i-2", "vol-1", "i-1"]
    pages = paging.requested_pages(scope, *LISTING[1:], "thing-id", requested, "i-", Owner="me")
    assert ids(pages) == ["i-1"]
    (call,) = client.calls
    assert call["Filters"] == [{"Name": "thing-id", "Values": ["i-1", "i-2"]}]
    assert call["Owner"] == "me"


def test_no_requested_id_of_this_kind_is_no_call():
    scope, client = listing()
    assert list(paging.requested_pages(scope, *LISTING[1:], "thing-id", ["vol-1"], "i-")) == []
    assert client.calls == []


@pytest.mark.parametrize("count, filters", [(200, True), (201, False)])
def test_many_requested_ids_are_the_whole_listing(count, filters):
    requested = [f"i-{number}" for number in range(count)]
    scope, client = listing(things("i-1"))
    pages = paging.requested_pages(scope, *LISTING[1:], "thing-id", requested, Owner="me")
    assert ids(pages) == ["i-1"]
    (call,) = client.calls
    assert ("Filters" in call, call["Owner"]) == (filters, "me")


MISSING = refused("InvalidThing.NotFound")


def test_records_by_id_are_fetched_a_batch_at_a_time():
    scope, client = listing(things("a", "b"), things("c"))
    pages = paging.by_ids(scope, *LISTING[1:], "ThingIds", {"c", "a", "b"}, 2, Owner="me")
    assert ids(pages) == ["a", "b", "c"]
    assert client.calls == [
        {"ThingIds": ["a", "b"], "Owner": "me"},
        {"ThingIds": ["c"], "Owner": "me"},
    ]


def test_of_a_batch_with_a_deleted_id_the_others_are_fetched_alone():
    scope, client = listing(MISSING, things("a"), MISSING, things("c"))
    pages = paging.by_ids(scope, *LISTING[1:], "ThingIds", ["a", "b", "c"], 2, Owner="me")
    assert ids(pages) == ["a", "c"]
    assert [call["ThingIds"] for call in client.calls] == [["a", "b"], ["a"], ["b"], ["c"]]
    assert {call["Owner"] for call in client.calls} == {"me"}


def test_another_refusal_of_ids_is_an_error():
    scope, _ = listing(refused("AccessDenied"), things("a"))
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        list(paging.by_ids(scope, *LISTING[1:], "ThingIds", ["a"], 2))


# --- services that not every region has -----------------------------------------------------------


def test_a_service_that_the_region_lacks_is_no_call_and_a_line_in_the_log():
    client = Client([])
    scope = scope_of(client, offered=False)
    assert list(paging.offered_pages(scope, *LISTING)) == []
    assert scope.session.notes == [("absent", {"scope": "eu-west-1", "service": "ec2"})]
    assert client.calls == []


def test_an_endpoint_of_the_account_has_every_service():
    scope = scope_of(Client([things("a")]), offered=False, endpoint_url="https://x/")
    assert ids(paging.offered_pages(scope, *LISTING)) == ["a"]


def test_a_service_that_the_region_has_gives_all_its_pages():
    client = Client([things("a", token="t1"), things("b")])
    scope = scope_of(client)
    assert ids(paging.offered_pages(scope, *LISTING, page_size=7)) == ["a", "b"]
    assert client.calls[0] == {"MaxResults": 7}
    assert scope.session.notes == []


def test_a_service_that_says_that_it_is_missing(monkeypatch):
    missing = []
    monkeypatch.setattr(
        paging, "is_missing_service", lambda error, service: missing.append(service) or True
    )
    scope = scope_of(Client([refused("OptInRequired")]))
    assert list(paging.offered_pages(scope, *LISTING)) == []
    facts = {"scope": "eu-west-1", "service": "ec2", "why": "OptInRequired"}
    assert (scope.session.notes, missing) == ([("absent", facts)], ["ec2"])


def test_a_service_that_refuses_otherwise_is_not_missing():
    scope = scope_of(Client([refused("AccessDenied")]))
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        list(paging.offered_pages(scope, *LISTING))


# --- single calls ---------------------------------------------------------------------------------


def test_one_call():
    scope, client = listing({"Answer": 1})
    assert paging.call(scope, "ec2", "describe_things", Owner="me") == {"Answer": 1}
    assert client.calls == [{"Owner": "me"}]


def test_what_was_deleted_since_it_was_listed_is_left_out_of_its_details():
    scope, _ = listing()

    def look_up(number):
        if number == 2:
            raise refused("ResourceNotFoundException")
        return number * 10

    assert paging.for_each_left(scope, look_up, [3, 2, 1]) == [(3, 30), (1, 10)]
    assert paging.for_each(scope, str, [3, 2]) == ["3", "2"]
