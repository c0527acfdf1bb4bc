"""AWS's records, built from botocore's own service model: every field, each of its type.

For tests of what moto cannot serve. The names and types of the fields are the real ones, the values are not.
"""

import datetime
from types import SimpleNamespace

import botocore.session
from botocore.exceptions import ClientError

from shared.engine.deadline import Deadline
from shared.engine.network import Network
from shared.engine.workers import Workers
from shared.providers import aws

TIME = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
_PLAIN = {
    "boolean": True,
    "double": 1.5,
    "float": 1.5,
    "integer": 1,
    "long": 1,
    "blob": b"1",
    "timestamp": TIME,
}
_session = botocore.session.Session()
_models = {}


def shape(service, name):
    if service not in _models:
        _models[service] = _session.get_service_model(service)
    return _models[service].shape_for(name)


def record(service, name, **changed):
    """A record of the shape with all its fields, some of them changed; None leaves a field out."""
    made = _filled(shape(service, name))
    unknown = set(changed) - set(made)
    if unknown:
        raise LookupError(f"{name} of {service} has no {', '.join(sorted(unknown))}")
    return {key: value for key, value in {**made, **changed}.items() if value is not None}


def _filled(of, name="", above=()):
    if of.type_name == "structure":
        if of.name in above:
            return {}
        inner = (*above, of.name)
        return {key: _filled(each, key, inner) for key, each in of.members.items()}
    if of.type_name == "list":
        return [_filled(of.member, name, above)]
    if of.type_name == "map":
        return {"key": _filled(of.value, name, above)}
    if of.type_name == "string":
        return of.enum[0] if getattr(of, "enum", None) else name
    return _PLAIN[of.type_name]


class Session:
    """A login without a server: ``answers[operation]`` is the response, an error code, or a function of the parameters.

    They replace HTTP only: the parameters go through botocore's own checks.
    """

    partition = "aws"
    number = "111111111111"  # of the account

    def __init__(self, answers=None, regions=("us-east-1", "eu-west-1"), absent=()):
        self.answers = dict(answers or {})
        self.regions = list(regions)
        self.absent = absent  # services that no region has
        self.credentials = SimpleNamespace(endpoint_url=None)
        self.calls = []  # (operation, parameters)
        self.notes = []
        self.workers = Workers(Network(Deadline(600)), 0)

    def account(self):
        self.calls.append(("GetCallerIdentity", {}))
        return self.number

    def scope(self, region="us-east-1"):
        return aws.Scope(region, self)

    def offers(self, service, region):
        return service not in self.absent

    def note(self, event, **fields):
        self.notes.append((event, fields))

    def client(self, service, region):
        client = _session.create_client(
            service, region, aws_access_key_id="invented", aws_secret_access_key="invented"
        )
        client.meta.events.register("provide-client-params.*.*", self._note_call)
        client.meta.events.register("before-call.*.*", self._answer)
        return client

    def _note_call(self, params, model, **_):
        self.calls.append((model.name, params))

    def _answer(self, model, **_):
        answer = self.answers.get(model.name, {})
        if callable(answer):
            answer = answer(**self.calls[-1][1])
        if isinstance(answer, str):
            error = {"Error": {"Code": answer, "Message": "invented"}}
            raise ClientError(error, model.name)
        lists = {
            key: [] for key, each in model.output_shape.members.items() if each.type_name == "list"
        }
        return SimpleNamespace(status_code=200), {**lists, **answer}

    def asked(self, operation):
        return [params for name, params in self.calls if name == operation]
