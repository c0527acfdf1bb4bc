"""The tables. docs/develop/inventory.md says why they are cut this way.

Times are whole microseconds since 1970, UTC. ``from_run`` is the poll that first saw something, ``to_run`` the first
complete one that no longer did (NULL: it is still so), ``after_run`` the last complete poll of the scope before
``from_run``: what changed, changed between that poll's start and this one's end.

A change of a table needs a migration (inventory/migrations) and a new ``REVISION``.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

REVISION = "0004"  # of the newest migration

metadata = MetaData()
Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers only INTEGER keys itself


def _ended(name: str) -> Index:
    """An index of what has ended, which is little."""
    ended = text("to_run IS NOT NULL")
    return Index(name, "to_run", sqlite_where=ended, postgresql_where=ended)


account = Table(
    "account",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
)
# A family of an account: what one poll brings in.
source = Table(
    "source",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account_id", Key, ForeignKey("account.id"), nullable=False),
    Column("family", Text, nullable=False),
    UniqueConstraint("account_id", "family"),
)
# A part of it that succeeds or fails by itself. ``retired_run``: the provider no longer has it.
scope = Table(
    "scope",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("source.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("retired_run", Key),
    UniqueConstraint("source_id", "name"),
)
# outcome: complete, partial (some scopes failed) or failed. calls: requests sent, retries among them (NULL: not counted)
run = Table(
    "run",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("source.id"), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
    Column("resources", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("gone", Integer, nullable=False),
    Column("calls", Integer),
    Column("retries", Integer),
    Index("run_by_source", "source_id", "ended_at"),
    Index("run_by_time", "ended_at"),
)
# error NULL: the scope was complete
scope_run = Table(
    "scope_run",
    metadata,
    Column("scope_id", Key, ForeignKey("scope.id"), primary_key=True),
    Column("run_id", Key, ForeignKey("run.id"), primary_key=True),
    Column("error", Text),
    Index("scope_run_by_run", "run_id"),
    sqlite_with_rowid=False,
)

# Texts that many rows share.
kind = Table(
    "kind",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
path = Table(
    "path",
    metadata,
    Column("id", Key, primary_key=True),
    Column("pointer", Text, nullable=False, unique=True),
)
label = Table(
    "label",
    metadata,
    Column("id", Key, primary_key=True),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("key", "value"),
)
dictionary = Table(
    "dictionary",
    metadata,
    Column("id", Key, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("kind_id", Key, ForeignKey("kind.id"), nullable=False),
    Column("samples", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# Who there is, narrow. A resource that was only named by others (connections, points) has no source.
resource = Table(
    "resource",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account_id", Key, ForeignKey("account.id"), nullable=False),
    Column("kind_id", Key, ForeignKey("kind.id"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("source_id", Key, ForeignKey("source.id")),
    Column("scope_id", Key, ForeignKey("scope.id")),
    Column("present", Boolean, nullable=False),
    Column("name", Text),
    Column("state", Text),
    Column("hash", LargeBinary),
    Column("first_run", Key, ForeignKey("run.id")),
    Column("changed_run", Key, ForeignKey("run.id")),
    UniqueConstraint("external_id", "kind_id", "account_id"),
    Index("resource_by_source", "source_id", "kind_id"),
)
# When it was there: things come back.
presence = Table(
    "presence",
    metadata,
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("from_run", Key, ForeignKey("run.id"), primary_key=True),
    Column("after_run", Key, ForeignKey("run.id")),
    Column("to_run", Key, ForeignKey("run.id")),
    Column("to_after_run", Key, ForeignKey("run.id")),
    Index("presence_by_start", "from_run"),
    _ended("presence_by_end"),
    sqlite_with_rowid=False,
)
# What it was: compressed documents, the truth from which all below can be derived.
version = Table(
    "version",
    metadata,
    Column("id", Key, primary_key=True),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False),
    Column("from_run", Key, ForeignKey("run.id"), nullable=False),
    Column("after_run", Key, ForeignKey("run.id")),
    Column("to_run", Key, ForeignKey("run.id")),
    Column("dictionary_id", Key, ForeignKey("dictionary.id")),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("resource_id", "from_run"),
    _ended("version_by_end"),
)
# Fast fields that differ from what the version holds. value is JSON; NULL: the field is not there.
reading = Table(
    "reading",
    metadata,
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("path_id", Key, ForeignKey("path.id"), primary_key=True),
    Column("from_run", Key, ForeignKey("run.id"), primary_key=True),
    Column("to_run", Key, ForeignKey("run.id")),
    Column("value", Text),
    sqlite_with_rowid=False,
)

# Derived in the same transaction. before and after are JSON; NULL: the field was, or is, not there.
change = Table(
    "change",
    metadata,
    Column("id", Key, primary_key=True),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False),
    Column("run_id", Key, ForeignKey("run.id"), nullable=False),
    Column("after_run", Key, ForeignKey("run.id")),
    Column("path_id", Key, ForeignKey("path.id"), nullable=False),
    Column("fast", Boolean, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("change_by_resource", "resource_id", "run_id"),
    Index("change_by_run", "run_id"),
)
former_name = Table(
    "former_name",
    metadata,
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("from_run", Key, ForeignKey("run.id"), primary_key=True),
    Column("to_run", Key, ForeignKey("run.id")),
    Column("name", Text, nullable=False),
    sqlite_with_rowid=False,
)
# 16 bytes, IPv4 as ::ffff:a.b.c.d; a single address has the prefix length 128.
address = Table(
    "address",
    metadata,
    Column("ip", LargeBinary, primary_key=True),
    Column("prefix", SmallInteger, primary_key=True),
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("path_id", Key, ForeignKey("path.id"), primary_key=True),
    Column("from_run", Key, ForeignKey("run.id"), primary_key=True),
    Column("to_run", Key, ForeignKey("run.id")),
    sqlite_with_rowid=False,
)
# ARNs and MAC addresses.
identifier = Table(
    "identifier",
    metadata,
    Column("value", Text, primary_key=True),
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("path_id", Key, ForeignKey("path.id"), primary_key=True),
    Column("from_run", Key, ForeignKey("run.id"), primary_key=True),
    Column("to_run", Key, ForeignKey("run.id")),
    sqlite_with_rowid=False,
)
tag = Table(
    "tag",
    metadata,
    Column("label_id", Key, ForeignKey("label.id"), primary_key=True),
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("from_run", Key, ForeignKey("run.id"), primary_key=True),
    Column("to_run", Key, ForeignKey("run.id")),
    sqlite_with_rowid=False,
)
edge = Table(
    "edge",
    metadata,
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("target_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("from_run", Key, ForeignKey("run.id"), primary_key=True),
    Column("to_run", Key, ForeignKey("run.id")),
    Index("edge_by_target", "target_id"),
    sqlite_with_rowid=False,
)
# What a resource is to others: its kind, and by what other accounts know it (inventory/fields.py).
trait = Table(
    "trait",
    metadata,
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("path_id", Key, ForeignKey("path.id"), primary_key=True),
    Column("from_run", Key, ForeignKey("run.id"), primary_key=True),
    Column("to_run", Key, ForeignKey("run.id")),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What get_status, get_metrics and get_logs bring in; each point once.
status_point = Table(
    "status_point",
    metadata,
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("time", BigInteger, primary_key=True),
    Column("level", Text, primary_key=True),
    Column("message", Text, primary_key=True),
    sqlite_with_rowid=False,
)
series = Table(
    "series",
    metadata,
    Column("id", Key, primary_key=True),
    Column("metric", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("more", Text, nullable=False),  # the point's other fields, as JSON
    UniqueConstraint("metric", "unit", "more"),
)
metric_point = Table(
    "metric_point",
    metadata,
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("series_id", Key, ForeignKey("series.id"), primary_key=True),
    Column("time", BigInteger, primary_key=True),
    Column("value", Float(53)),
    sqlite_with_rowid=False,
)
log_event = Table(
    "log_event",
    metadata,
    Column("resource_id", Key, ForeignKey("resource.id"), primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("severity", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("more", Text, nullable=False),
    sqlite_with_rowid=False,
)
# What a source's next poll gets: the last_update of each handler, and context.state.
last_update = Table(
    "last_update",
    metadata,
    Column("source_id", Key, ForeignKey("source.id"), primary_key=True),
    Column("handler", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
kept_state = Table(
    "kept_state",
    metadata,
    Column("source_id", Key, ForeignKey("source.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Moments whose versions retention keeps.
pin = Table(
    "pin",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)
# A label on polls: of each source, the last one by ``at``. how: by hand, scheduled or window. pinned_at: since when it is
# a baseline. exact: no state of that time had been thinned when it was taken.
snapshot = Table(
    "snapshot",
    metadata,
    Column("id", Key, primary_key=True),
    Column("label", Text, nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("how", Text, nullable=False),
    Column("pinned_at", BigInteger),
    Column("resources", Integer, nullable=False),
    Column("exact", Boolean, nullable=False),
)
snapshot_run = Table(
    "snapshot_run",
    metadata,
    Column("snapshot_id", Key, ForeignKey("snapshot.id"), primary_key=True),
    Column("source_id", Key, ForeignKey("source.id"), primary_key=True),
    Column("last_run", Key, ForeignKey("run.id"), nullable=False),
    Index("snapshot_run_by_source", "source_id", "last_run"),
    sqlite_with_rowid=False,
)
# Each scope that there was, with its last complete poll and the first failed one after that.
snapshot_scope = Table(
    "snapshot_scope",
    metadata,
    Column("snapshot_id", Key, ForeignKey("snapshot.id"), primary_key=True),
    Column("scope_id", Key, ForeignKey("scope.id"), primary_key=True),
    Column("complete_run", Key, ForeignKey("run.id")),
    Column("failed_run", Key, ForeignKey("run.id")),
    sqlite_with_rowid=False,
)
# A change that somebody makes: what was before, and what must be the same after it, or explained. concerns is JSON.
change_window = Table(
    "change_window",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("before_id", Key, ForeignKey("snapshot.id"), nullable=False),
    Column("after_id", Key, ForeignKey("snapshot.id")),
    Column("baseline_id", Key, ForeignKey("snapshot.id")),
    Column("concerns", Text, nullable=False),
)
# Why something differs. type "": external_id is a scope that was not polled. value: what it was, as JSON.
explanation = Table(
    "explanation",
    metadata,
    Column("id", Key, primary_key=True),
    Column("window_id", Key, ForeignKey("change_window.id"), nullable=False),
    Column("account", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("value", Text),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("explanation_by_window", "window_id"),
)
# What workers poll again and again (inventory/due.py). at_once: polls of the account side by side; provider_at_once: of
# all accounts of the provider (NULL: no limit). not_before: it rests till then.
due_account = Table(
    "due_account",
    metadata,
    Column("account", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("at_once", Integer, nullable=False),
    Column("provider_at_once", Integer),
    Column("not_before", BigInteger, nullable=False),
)
# priority: smaller ones come first. next_at: slot_at, a multiple of the interval, and a random part. served_at: when a poll
# of the account was last begun. attempt: how often this one was. worker and lease_until: who polls it, and until when
# (NULL: nobody). outcome: of the last poll that ended; failures: how many in a row have failed by then.
_leased = text("lease_until IS NOT NULL")
due = Table(
    "due",
    metadata,
    Column("account", Text, ForeignKey("due_account.account"), primary_key=True),
    Column("family", Text, primary_key=True),
    Column("handler", Text, primary_key=True),
    Column("every_s", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("slot_at", BigInteger, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("served_at", BigInteger, nullable=False),
    Column("attempt", BigInteger, nullable=False),
    Column("worker", Text),
    Column("lease_until", BigInteger),
    Column("claimed_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    Column("failures", Integer, nullable=False),
    Index("due_by_time", "next_at"),
    Index("due_by_turn", "priority", "served_at", "next_at"),
    Index("due_by_lease", "lease_until", sqlite_where=_leased, postgresql_where=_leased),
)
# About the inventory itself, such as from when on every version is kept.
setting = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
