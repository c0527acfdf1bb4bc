"""botocore's service models, parsed once a process: most of a client's cost is what botocore makes of its model.

Each client gets a class of its own from botocore, with a method for each operation (EC2 has 830), and reads the
shapes of its operations anew; a poll has a client a region, and each calls a few operations. Here botocore gets
models without operations. What it made of them is then completed: the model is the process's, which keeps the shapes
that it has read, and methods are looked up when they are called.
"""

import functools
from typing import Any, Optional

import botocore.hooks
import botocore.loaders
from botocore import xform_name
from botocore.model import ServiceModel

_aliases: dict[str, str] = {}


class Models(botocore.loaders.Loader):  # type: ignore[misc]
    """botocore's own models and no others, read once. Those that the host keeps elsewhere (AWS_DATA_PATH,
    ~/.aws/models) are not used."""

    def __init__(self) -> None:
        super().__init__(
            extra_search_paths=[self.BUILTIN_DATA_PATH], include_default_search_paths=False
        )

    def load_service_model(
        self, service_name: str, type_name: str, api_version: Optional[str] = None
    ) -> Any:
        """What botocore makes a client of."""
        content = super().load_service_model(service_name, type_name, api_version)
        return {**content, "operations": {}} if type_name == "service-2" else content

    def complete(self, client: Any, service: str) -> None:
        """Give a client that botocore made of such a model its operations."""
        model, methods = self._whole(service)
        client.meta._service_model = model
        client.meta.method_to_api_mapping.update(methods)
        type(client).__getattr__ = _method

    @functools.cache  # noqa: B019 - there is one loader
    def _whole(self, service: str) -> tuple[ServiceModel, dict[str, str]]:
        """The model, and the operations by the names of their methods."""
        content = super().load_service_model(service, "service-2")
        model = ServiceModel(content, service_name=service)
        return model, {xform_name(name): name for name in model.operation_names}


def _method(client: Any, name: str) -> Any:
    """A client's attribute that Python did not find: the method of an operation, or what botocore says."""
    operation = client.meta.method_to_api_mapping.get(name)
    if operation is None:
        return super(type(client), client).__getattr__(name)

    def call(*args: Any, **params: Any) -> Any:
        if args:
            raise TypeError(f"{name}() only accepts keyword arguments.")
        return client._make_api_call(operation, params)

    call.__name__ = name
    return call


class Events(botocore.hooks.EventAliaser):  # type: ignore[misc]
    """botocore's events: what it calls them is looked up once a process, not in a list of 300 names by each client."""

    def __init__(self, emitter: Any, event_aliases: Any = None):
        super().__init__(emitter, event_aliases)
        self._alias_name_cache = _aliases
