"""Loaders of YAML that refuse a key which a map has twice."""

from typing import Any

import yaml


class RepeatedKey(yaml.constructor.ConstructorError):
    pass


class _Unique:
    """Of a loader: refuses a repeated key; PyYAML would silently use the last one."""

    def construct_mapping(self: Any, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key_node, _ in node.value:
            key = str(self.construct_object(key_node, deep=True))  # as text: 7 and "7" are one name
            if key in seen:
                raise RepeatedKey(None, None, f"{key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return yaml.SafeLoader.construct_mapping(self, node, deep)


class UniqueKeys(_Unique, yaml.SafeLoader):
    pass


# With libyaml, where PyYAML has it, a file of thousands of accounts takes a third of the time.
class QuickUniqueKeys(_Unique, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    pass
