"""Reports of what differs between two snapshots, as Markdown and as one HTML file.

A report has nothing of the day on which it is made: the same snapshots give the same bytes, whatever was polled since.
It names the polls it rests on, the version that wrote it, and the command that makes it again.

The HTML file loads nothing and runs nothing, which its policy says too. What comes from a provider is escaped: it may
hold markup, control characters, characters that turn the direction of text, and be of any length.
"""

import base64
import dataclasses
import hashlib
import html as markup
import importlib.metadata
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Callable

from flexlocal import terminal
from flexlocal.show import amount
from inventory.changes import ABSENT
from inventory.fields import SPECIFIC, TAGS, steps
from inventory.model import (
    DEVIATES,
    RESTORED,
    SEVERITIES,
    Comparison,
    Deviation,
    Missing,
    ScopeStatus,
    Side,
    Snapshot,
    written,
)
from shared.engine.masking import visible

MOST = 500  # characters of a value that are shown
NOTHING = "–"
WORDS = (
    "What",
    "Account",
    "Type",
    "Verdict",
)  # columns of short texts, which are not cut within a word
MARKS = {
    "critical": "■",
    "high": "▲",
    "medium": "◆",
    "low": "·",
}  # so that severities differ by shape, too


@dataclasses.dataclass(frozen=True)
class Content:
    """``again``: the arguments of ``flexlocal snapshot`` that make the report once more, but for its format."""

    title: str
    comparison: Comparison
    again: Sequence[str]
    missing: Collection[Missing] = ()


@dataclasses.dataclass(frozen=True)
class _Table:
    """Cells are plain text; those of a column in ``code`` are shown as such."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    code: frozenset[str] = frozenset({"Id", "Field", "Before", "After", "Design", "Polls"})


def maker() -> str:
    return f"flexlocal {importlib.metadata.version('cmp-connectors')}"


# --- what it says ---------------------------------------------------------------------------------------


def _summary(content: Content) -> str:
    differ = [each for each in content.comparison.deviations if each.differs]
    if not differ:
        return "Nothing differs."
    severities = Counter(each.severity for each in differ)
    words = ", ".join(f"{severities[name]} {name}" for name in SEVERITIES if severities[name])
    text = (
        f"{_count(len(differ), 'difference')} in {_count(_resources(differ), 'resource')}: {words}."
    )
    if content.comparison.design is not None:
        verdicts = Counter(each.verdict for each in differ)
        text += f" {verdicts[RESTORED]} as designed, {verdicts[DEVIATES]} not as designed."
    if explained := sum(each.explanation is not None for each in differ):
        text += f" {explained} explained."
    return text


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _resources(deviations: Iterable[Deviation]) -> int:
    return len({each.entry.key for each in deviations})


def _sides(comparison: Comparison) -> list[tuple[str, Side]]:
    names = ("Before", "After", "Design")
    return [(name, side) for name, side in zip(names, comparison.sides)]


def _rests_on(comparison: Comparison) -> _Table:
    rows = []
    for name, side in _sides(comparison):
        snapshot = side.when
        assert isinstance(snapshot, Snapshot)  # noqa: S101 - reports are of snapshots only
        complete = len(side.coverage.scopes) - len(side.coverage.failed)
        rows.append(
            (
                name,
                snapshot.label,
                written(snapshot.at),
                str(snapshot.resources),
                f"{complete} of {len(side.coverage.scopes)}",
                ranges(snapshot.runs),
            )
        )
    return _Table(("", "Snapshot", "As of", "Resources", "Scopes complete", "Polls"), rows)


def ranges(numbers: Iterable[int]) -> str:
    """``1-3, 7``."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(f"{first}-{last}" if first != last else f"{first}" for first, last in found)


def _differences(comparison: Comparison, chosen: Iterable[Deviation]) -> _Table:
    """Without columns that would be empty."""
    columns: dict[str, Callable[[Deviation], str]] = {
        "Severity": lambda each: f"{MARKS[each.severity]} {each.severity}",
        "What": lambda each: each.what,
        "Account": lambda each: each.entry.account,
        "Type": lambda each: each.entry.type,
        "Name": lambda each: each.entry.name,
        "Id": _ids,
        "Field": lambda each: _field(each.path),
        "Before": lambda each: _value(each.before, each.path),
        "After": lambda each: _value(each.after, each.path),
    }
    if comparison.design is not None:
        columns["Design"] = lambda each: _value(each.design, each.path)
        columns["Verdict"] = lambda each: each.verdict
    listed = list(chosen)
    if any(each.reason for each in listed):
        columns["Reason"] = lambda each: each.reason or ""
    if any(each.explanation for each in listed):
        columns["Explanation"] = lambda each: each.explanation or ""
    return _Table(list(columns), [[cell(each) for cell in columns.values()] for each in listed])


def _ids(each: Deviation) -> str:
    former = "" if each.former_id is None else f" (was {each.former_id})"
    return f"{each.entry.id}{former}"


def _field(path: str) -> str:
    """As tables of the terminal have it: ``state``, ``tag stage``, ``connections.network``."""
    found = steps(path)
    if found[:2] == ["metadata", TAGS]:
        return f"tag {'.'.join(found[2:])}"
    if found[:1] == ["details"] or found[:2] == ["metadata", SPECIFIC]:
        return ".".join(found[2:]) or ".".join(found)
    return ".".join(found)


def _value(value: Any, path: str) -> str:
    if value is ABSENT:
        return NOTHING
    value = amount(path.rpartition("/")[2], value)
    if path.startswith("/connections/") and isinstance(value, list):
        value = [each.get("id") if isinstance(each, dict) else each for each in value]
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return value if isinstance(value, str) else terminal.as_json(value)


def _failed(comparison: Comparison, missing: Collection[Missing]) -> _Table:
    explained = {each.scope: each.explanation for each in missing}
    rows = [
        (name, each.label, _since(each), each.error or "", explained.get(each) or "")
        for name, side in _sides(comparison)
        for each in side.coverage.failed
    ]
    heads = ("", "Scope", "Since", "Error", "Explanation")
    if not any(row[-1] for row in rows):
        return _Table(heads[:-1], [row[:-1] for row in rows])
    return _Table(heads, rows)


def _since(scope: ScopeStatus) -> str:
    if scope.complete_at is None or scope.failed_since is None:
        return "never complete"
    return written(scope.failed_since)


def _sections(content: Content) -> Iterator[tuple[str, str, _Table]]:
    """Heading, a sentence, and the table."""
    comparison = content.comparison
    yield "What is compared", "", _rests_on(comparison)
    differ = [each for each in comparison.deviations if each.differs]
    if differ:
        yield "Differences", "", _differences(comparison, differ)
    standing = [each for each in comparison.deviations if not each.differs]
    if standing:
        text = f"{_count(len(standing), 'field')} in {_count(_resources(standing), 'resource')}."
        yield "Not as designed, as before", text, _differences(comparison, standing)
    failed = _failed(comparison, content.missing)
    if failed.rows:
        text = (
            "What these scopes held is shown as it was last seen; what changed there is not known."
        )
        yield "Not polled completely", text, failed


def _again(content: Content, form: str) -> str:
    arguments = [*content.again, "--format", form]
    return shlex.join(["flexlocal", "snapshot", *arguments])


def _notes(content: Content) -> list[str]:
    if not content.comparison.inexact:
        return []
    number = _count(len(content.comparison.inexact), "resource")
    return [
        f"Of {number}, retention had removed the version of one of the times before the snapshot was taken: the one "
        "before it was compared."
    ]


def _short(text: str) -> str:
    shown = visible(text)
    if len(shown) <= MOST:
        return shown
    return f"{shown[:MOST]}… ({len(shown) - MOST:,} more characters)"


# --- Markdown -------------------------------------------------------------------------------------------


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _plain(text: str) -> str:
    """As text, whatever Markdown or HTML it looks like."""
    short = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], _short(text))
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", short)


def markdown(content: Content) -> str:
    lines = [f"# {_plain(content.title)}", "", _summary(content), ""]
    for note in _notes(content):
        lines += [note, ""]
    for heading, text, table in _sections(content):
        lines += [f"## {heading}", ""]
        if text:
            lines += [text, ""]
        lines.append(_row(table.heads))
        lines.append(_row(["---"] * len(table.heads)))
        lines += [_row([_plain(cell) for cell in row]) for row in table.rows]
        lines.append("")
    lines += ["## Make it again", "", f"    {visible(_again(content, 'markdown'))}", ""]
    lines += [f"Written by {maker()}. Times are UTC.", ""]
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


# --- HTML -----------------------------------------------------------------------------------------------

STYLE = """
:root { color-scheme: light dark; --line: #c8ccd2; --soft: #f3f4f6; --ink: #1b1f24; --paper: #fff;
  --critical: #7d0a1c; --high: #a40e26; --medium: #7a4b00; --low: #4d5661; }
@media (prefers-color-scheme: dark) {
  :root { --line: #3d444d; --soft: #1c2128; --ink: #e6edf3; --paper: #0d1117;
    --critical: #ffb3ba; --high: #ff8e98; --medium: #e3b341; --low: #9da7b3; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 96rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border: 1px solid var(--line); padding: .3rem .5rem; text-align: start; vertical-align: top;
  overflow-wrap: anywhere; min-width: 5rem; max-width: 30rem; }
td.word { overflow-wrap: break-word; }
thead th { background: var(--soft); position: sticky; top: 0; white-space: nowrap; }
code, pre { font: .85em/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .6rem; }
.critical { color: var(--critical); font-weight: 700; } .high { color: var(--high); font-weight: 600; } .medium { color: var(--medium); } .low { color: var(--low); }
footer { margin-top: 2rem; color: var(--low); }
@media print {
  :root { color-scheme: light; --line: #999; --soft: #eee; --ink: #000; --paper: #fff;
    --critical: #000; --high: #000; --medium: #000; --low: #333; }
  body { margin: 0; max-width: none; font-size: 10pt; }
  .wide { overflow: visible; } thead { display: table-header-group; } thead th { position: static; }
  tr { break-inside: avoid; } th, td { min-width: 0; } }
"""


def html(content: Content) -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    title = _escaped(content.title)
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>\n</head>\n<body>",
        f"<main>\n<h1><bdi>{title}</bdi></h1>",
        f"<p>{_escaped(_summary(content))}</p>",
    ]
    parts += [f"<p>{_escaped(note)}</p>" for note in _notes(content)]
    for heading, text, table in _sections(content):
        parts.append(f"<h2>{_escaped(heading)}</h2>")
        if text:
            parts.append(f"<p>{_escaped(text)}</p>")
        parts.append(_html_table(heading, table))
    parts += [
        "<h2>Make it again</h2>",
        f"<pre><code>{_escaped(_again(content, 'html'))}</code></pre>\n</main>",
        f"<footer>Written by {_escaped(maker())}. Times are UTC.</footer>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def _html_table(heading: str, table: _Table) -> str:
    heads = "".join(
        f'<th scope="col">{_escaped(head)}</th>' if head else "<td></td>" for head in table.heads
    )
    lines = [
        f'<div class="wide" role="region" aria-label="{_escaped(heading)}" tabindex="0">',
        f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>",
    ]
    for row in table.rows:
        cells = "".join(
            _html_cell(head, cell, head in table.code) for head, cell in zip(table.heads, row)
        )
        lines.append(f"<tr>{cells}</tr>")
    lines.append("</tbody>\n</table>\n</div>")
    return "\n".join(lines)


def _html_cell(head: str, cell: str, is_code: bool) -> str:
    """Each text in a direction of its own, so that none turns the text beside it."""
    text = f"<bdi>{_escaped(cell)}</bdi>"
    if not head:
        return f'<th scope="row">{text}</th>'
    if head == "Severity":
        return f'<td class="word {cell.split()[-1]}">{text}</td>'
    if head in WORDS:
        return f'<td class="word">{text}</td>'
    return f"<td><code>{text}</code></td>" if is_code and cell else f"<td>{text}</td>"


def _escaped(text: str) -> str:
    return markup.escape(_short(text))
