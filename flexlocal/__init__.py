"""The runtime on a laptop: runs the handlers live, replayed or recorded. Never part of a module."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flexlocal.api import Account

__all__ = ["Account"]


def __getattr__(name: str) -> Any:
    if name == "Account":  # takes a while to import
        from flexlocal.api import Account

        return Account
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
