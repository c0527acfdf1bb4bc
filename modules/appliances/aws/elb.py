"""What both generations of Elastic Load Balancing share: the tags of load balancers, and the instances behind them."""

from collections.abc import Iterator

from modules.appliances.aws.records import Record
from shared.providers import aws
from shared.records.fields import needed, objects

PAGE_SIZE = 400
TAGGED_A_CALL = 20


def existing_instances(scope: aws.Scope, ids: list[str]) -> set[str]:
    """Which of the instances still exist: by a filter, because an unknown id in a list is an error."""
    return {
        needed(instance, "InstanceId", str)
        for page in aws.filtered(scope, "describe_instances", "Reservations", "instance-id", ids)
        for reservation in page
        for instance in objects(reservation, "Instances")
    }


def tags_of(
    scope: aws.Scope, service: str, parameter: str, names: list[str]
) -> dict[str, dict[str, str]]:
    """The tags of load balancers, several in a call; nothing for one that was deleted since it was listed.

    A call fails for all of them if one is gone: then there is a call for each one. ``parameter`` takes the names.
    """

    def tags(part: list[str]) -> list[tuple[str, dict[str, str]]]:
        response = aws.call(scope, service, "describe_tags", **{parameter: part})
        described: dict[str, Record] = aws.keyed(
            objects(response, "TagDescriptions"), parameter[:-1]
        )
        return [(name, aws.tags(described.get(name, {}))) for name in part]

    known: dict[str, dict[str, str]] = {}
    for parts in (list(_in_parts(names, TAGGED_A_CALL)), [[name] for name in names]):
        missing = [part for part in parts if not all(name in known for name in part)]
        for _, pairs in aws.for_each_left(scope, tags, missing):
            known.update(pairs)
    return known


def _in_parts(values: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
