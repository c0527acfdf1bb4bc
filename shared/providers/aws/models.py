"""botocore's service models, parsed once a process: most of a client's cost is what botocore makes of its model.

Each client gets a class of its own from botocore, with a method for each operation (EC2 has 830), and reads the
shapes of its operations anew; a poll has a client a region, and each calls a few operations. Here botocore gets
models without operations. A client that it made of one is completed before its first call, also one that botocore
made for itself, to fetch the host's credentials: its model is then the process's, which keeps the shapes that were
read, and its methods are looked up when they are called.
"""

import functools
from typing import Any, Optional

import botocore.client
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

    def complete(self, client: Any) -> None:
        """Give a client that botocore made of such a model its operations."""
        model, methods = self._whole(client.meta.service_model.service_name)
        client.meta._service_model = model
        client.meta.method_to_api_mapping.update(methods)

    @functools.cache  # noqa: B019 - there is one loader
    def _whole(self, service: str) -> tuple[ServiceModel, dict[str, str]]:
        """The model, and the operations by the names of their methods."""
        content = super().load_service_model(service, "service-2")
        model = ServiceModel(content, service_name=service)
        return model, {xform_name(name): name for name in model.operation_names}

    def look_up_methods(self, class_attributes: dict[str, Any], **_: Any) -> None:
        """Handle botocore's event for the class that it makes for each client."""

        def attribute(client: Any, name: str) -> Any:
            """What Python did not find: the method of an operation, or what botocore says."""
            methods = client.meta.method_to_api_mapping
            if not methods:
                self.complete(client)
            if name not in methods:
                return botocore.client.BaseClient.__getattr__(client, name)

            def call(*args: Any, **params: Any) -> Any:
                if args:
                    raise TypeError(f"{name}() only accepts keyword arguments.")
                return client._make_api_call(methods[name], params)

            call.__name__ = name
            return call

        class_attributes["__getattr__"] = attribute


class Events(botocore.hooks.EventAliaser):  # type: ignore[misc]
    """botocore's events: what it calls them is looked up once a process, not in a list of 300 names by each client."""

    def __init__(self, emitter: Any, event_aliases: Any = None):
        super().__init__(emitter, event_aliases)
        self._alias_name_cache = _aliases
