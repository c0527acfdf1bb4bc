"""What can go wrong with an inventory. Each error says what is wrong, and what to do about it.

``InventoryError`` is the root. Whatever is raised, the inventory is as it was before the call.
"""


class InventoryError(Exception):
    """``message`` says what is wrong, ``action`` what to do."""

    def __init__(self, message: str, action: str):
        super().__init__(f"{message}: {action}")
        self.message = message
        self.action = action


# --- the database ---


class WrongUrl(InventoryError):
    """The address is no file and no URL of a supported database."""


class NoInventory(InventoryError):
    """There is nothing at the address."""


class NotAnInventory(InventoryError):
    """The file or database holds something else."""


class NewerSchema(InventoryError):
    """A newer release wrote the database."""


class OlderSchema(InventoryError):
    """The database is of an older release, and was opened without ``create``."""


class Locked(InventoryError):
    """Another process wrote for longer than the timeout."""


class Deadlock(Locked):
    """Two writers waited for each other, and PostgreSQL gave this one up. The same call works when repeated."""


class DiskFull(InventoryError):
    """There is no space left for the database."""


class ReadOnly(InventoryError):
    """The database can't be written by this user."""


class Damaged(InventoryError):
    """The database's file can't be read any more, or breaks its own rules."""


class Unavailable(InventoryError):
    """The database can't be opened: no permission, no driver, no connection."""


# --- what is stored ---


class InvalidResource(InventoryError):
    """A resource is not what CMP's schema says, or is there twice. Nothing of its poll was stored."""


class InvalidPoint(InventoryError):
    """A status point, metric point or log event is not what CMP's schema says. None was stored."""


class InvalidPoll(InventoryError):
    """A poll contradicts itself. Nothing of it was stored."""


class StalePoll(InventoryError):
    """A poll ended before, or when, one ended that is stored already. Nothing of it was stored."""


class BeingPolled(InventoryError):
    """Another process is polling the same account and family."""


class NotMine(InventoryError):
    """A worker's claim of a poll has run out, or was ended. Nothing of the poll was stored."""


# --- questions ---


class InvalidQuestion(InventoryError):
    """A filter, a time or a search can't be understood."""


class UnknownSnapshot(InventoryError):
    """No snapshot or change window has that name."""


class UnknownResource(InventoryError):
    """No such resource was ever stored."""


class AmbiguousResource(InventoryError):
    """The id belongs to several resources."""
