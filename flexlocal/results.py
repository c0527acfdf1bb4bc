"""What is shown of a handler's answer: which entries, in which order and columns, in which format."""

import dataclasses
import fnmatch
import re
from collections.abc import Collection, Iterable
from types import SimpleNamespace
from typing import Any, Optional, TextIO

from flexlocal import parquet, show, terminal
from flexlocal.options import BadUsage, nearest, pair
from flexlocal.show import Column

LISTS = ("status", "metrics", "logs")  # keys of answers that hold a list of points
MISSING = object()
SAMPLE = 50  # entries whose paths an error names


@dataclasses.dataclass(frozen=True)
class View:
    """``family`` and ``whose`` are those of a handler's answer; questions to an inventory have none."""

    family: str
    whose: str
    format: Optional[str]
    columns: Optional[list[str]]
    wide: bool
    sort: Optional[str]
    filters: list[tuple[str, str]]
    query: Any  # a compiled JMESPath expression, or None

    def check(self, columns: list[Column], keys: Collection[str]) -> None:
        """Raises BadUsage for a name that is no column, and no path that begins with one of the keys.

        For what is known before anything is polled. ``--columns`` are those of the query's result, if there is one.
        """
        names = [key for key, _ in self.filters]
        names += [self.sort.lstrip("-")] if self.sort else []
        names += self.columns or [] if self.query is None else []
        for name in names:
            if not _of_title(name, columns) and name.partition(".")[0] not in keys:
                raise _unknown(name, columns, keys)

    def show(self, answer: Any, out: TextIO) -> None:
        """Write a handler's answer. Raises BadUsage for a column or a path that nothing in it has."""
        kind = _kind(answer)
        if kind is None:  # of validate_credentials
            self._write(self._queried(answer), out)
            return
        columns = show.columns(self.family if kind == "resources" else kind)
        entries = self._chosen(answer if kind == "resources" else answer[kind], columns)
        if self.query is None:
            whole = self.format in (None, "table", "csv", "ndjson") or kind == "resources"
            what = {"resources": "resources", "logs": "log events"}.get(kind, f"{kind} points")
            footer = f"{self.family}: {len(entries)} {what} ({self.whose})"
            self._write(entries if whole else {**answer, kind: entries}, out, columns, footer)
        else:
            self._write(
                self._queried(entries if kind == "resources" else {**answer, kind: entries}), out
            )

    def show_rows(
        self,
        rows: list[Any],
        columns: list[Column],
        out: TextIO,
        footer: Optional[str] = None,
    ) -> None:
        """Write rows of other questions; ``footer`` is the line below a table. Raises BadUsage as ``show`` does."""
        rows = self._chosen(rows, columns)
        if self.query is None:
            self._write(rows, out, columns, footer)
        else:
            self._write(self._queried(rows), out)

    def show_value(self, value: Any, out: TextIO) -> None:
        """Write an object that is no list of rows."""
        self._write(self._queried(value), out)

    def _chosen(self, entries: list[Any], columns: list[Column]) -> list[Any]:
        for key, wanted in self.filters:
            values = _values(entries, key, columns)
            entries = [each for each, value in zip(entries, values) if _matches(value, wanted)]
        return _sorted(entries, self.sort, columns) if self.sort else entries

    def _queried(self, answer: Any) -> Any:
        if self.query is None:
            return answer
        import jmespath

        try:
            return self.query.search(answer)
        except jmespath.exceptions.JMESPathError as error:
            raise BadUsage(f"--query: {' '.join(str(error).split())}") from None

    def _write(
        self,
        value: Any,
        out: TextIO,
        columns: Optional[list[Column]] = None,
        footer: Optional[str] = None,
    ) -> None:
        rows = isinstance(value, list) and bool(columns or (value and isinstance(value[0], dict)))
        form = self.format or "table"
        if form in ("table", "csv", "parquet") and rows:
            columns = columns or show.columns_of(value)
            chosen = [_column(name, value, columns) for name in self.columns or ()]
            if form == "parquet":
                parquet.write(chosen or columns, value, out)
                return
            if form == "csv":
                show.csv_of(chosen or columns, value, out)
                return
            left_out = show.table(chosen or columns, value, out, every=bool(chosen) or self.wide)
            if footer:
                out.write(f"{terminal.folded(footer, out)}\n")
            if left_out:
                terminal.say(f"Not shown here: {', '.join(left_out)} (--wide, --columns)")
        elif form == "ndjson" and isinstance(value, list):
            for each in value:
                out.write(terminal.as_json(each) + "\n")
        elif form == "yaml":
            out.write(_yaml(value))
        elif form in ("csv", "parquet"):
            raise BadUsage(
                f"--format {form} is for lists of objects; this is none: choose json or yaml"
            )
        else:
            out.write(terminal.as_json(value) + "\n")


def view(args: SimpleNamespace) -> View:
    """What the options ask for. Raises BadUsage before anything is polled."""
    query = None
    if args.query is not None:
        import jmespath

        try:
            query = jmespath.compile(args.query)
        except jmespath.exceptions.JMESPathError as error:
            raise BadUsage(f"--query is not JMESPath: {' '.join(str(error).split())}") from None
    return View(
        family=getattr(args, "family", None) or "",
        whose=getattr(args, "account", None) or "the event",
        format=args.format,
        columns=[name.strip() for name in args.columns.split(",") if name.strip()]
        if args.columns
        else None,
        wide=args.wide,
        sort=args.sort,
        filters=[pair(text, "--filter") for text in args.filters],
        query=query,
    )


def plain(format: str) -> View:
    """Everything, in this format."""
    return View("", "", format, None, True, None, [], None)


def _kind(answer: Any) -> Optional[str]:
    """ "resources", or the key of the list of points; None if the answer holds no list."""
    if isinstance(answer, list):
        return "resources"
    if isinstance(answer, dict):
        return next((key for key in LISTS if isinstance(answer.get(key), list)), None)
    return None


# --- columns and paths --------------------------------------------------------------------------------


def _column(name: str, entries: list[Any], columns: list[Column]) -> Column:
    """The column of this title, or one of a path that at least one entry has."""
    column = _of_title(name, columns)
    if column:
        return column
    if entries and all(_at(entry, name) is MISSING for entry in entries):
        paths = {path for entry in entries[:SAMPLE] for path in _paths(entry)}
        raise _unknown(name, columns, paths)
    return Column(name.upper(), lambda entry: _or_none(_at(entry, name)))


def _of_title(name: str, columns: list[Column]) -> Optional[Column]:
    wanted = name.replace("-", " ").replace("_", " ").lower()
    return next((column for column in columns if column.title.lower() == wanted), None)


def _unknown(name: str, columns: list[Column], paths: Iterable[str]) -> BadUsage:
    titles = [column.title.lower().replace(" ", "_") for column in columns]
    return BadUsage(
        f"no column or path {name!r}{nearest(name, sorted({*titles, *paths}))}; columns are "
        f"{', '.join(titles)}, a path is like base.name"
    )


def _values(entries: list[Any], key: str, columns: list[Column]) -> list[Any]:
    column = _column(key, entries, columns)
    return [(column.value(entry), show.text(column, entry)) for entry in entries]


def _at(entry: Any, path: str) -> Any:
    """What lies at a path with dots; of a list, what each of its items has there. Keys may contain dots."""
    if path == "":
        return entry
    if isinstance(entry, list):
        if path.partition(".")[0].isdecimal() and int(path.partition(".")[0]) < len(entry):
            first, _, rest = path.partition(".")
            return _at(entry[int(first)], rest)
        found = [value for item in entry if (value := _at(item, path)) is not MISSING]
        return found or MISSING
    if not isinstance(entry, dict):
        return MISSING
    if path in entry:
        return entry[path]
    steps = path.split(".")
    for length in range(1, len(steps)):
        key = ".".join(steps[:length])
        if key in entry:
            value = _at(entry[key], ".".join(steps[length:]))
            if value is not MISSING:
                return value
    return MISSING


def _or_none(value: Any) -> Any:
    return None if value is MISSING else value


def _paths(entry: Any, before: str = "") -> list[str]:
    if not isinstance(entry, dict):
        return [before[:-1]] if before else []
    return [path for key, value in entry.items() for path in _paths(value, f"{before}{key}.")]


def _matches(value: tuple[Any, str], wanted: str) -> bool:
    """Whether the value, what the table shows of it, or one item of a list has this text (``*``: any)."""
    raw, shown = value
    texts = {_text(item) for item in (raw if isinstance(raw, list) else [raw])} | {shown}
    return any(fnmatch.fnmatchcase(text, re.sub(r"([\[?])", r"[\1]", wanted)) for text in texts)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _sorted(entries: list[Any], sort: str, columns: list[Column]) -> list[Any]:
    down = sort.startswith("-")
    column = _column(sort.lstrip("-"), entries, columns)

    def key(entry: Any) -> Any:
        value = column.value(entry)
        if isinstance(value, (int, float)):
            return (0, value, "")
        return (1, 0, str(value).lower())

    there = [each for each in entries if column.value(each) not in (None, "", [])]
    absent = [each for each in entries if column.value(each) in (None, "", [])]
    return sorted(there, key=key, reverse=down) + absent


def _yaml(value: Any) -> str:
    """YAML in which characters that control a terminal are escaped."""
    import yaml

    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100)
    if all(terminal.line_of(line) == line for line in text.split("\n")):
        return text
    return yaml.safe_dump(value, allow_unicode=False, sort_keys=False, width=100)
