"""Writes the golden files from the cassettes: ``python -m tools.expected [FAMILY [PROVIDER [HANDLER]]]``.

They are what each handler of each demo account's cells replays to, also from its second recording where there is
one (``later``). The clock stands where the cassette says, or else at ``SEEN_AT``.
"""

import argparse
import contextlib
import datetime
import importlib
import io
import json
from pathlib import Path
from typing import Any

from flexlocal import accounts, cassettes
from flexlocal.__main__ import families
from flexlocal.context import Context
from shared.engine.poll import load_cell

EXPECTED = Path(__file__).resolve().parent.parent / "tests" / "expected"
SEEN_AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def handlers(family: str, provider: str) -> list[str]:
    """What the cell serves: ``get``, and those of ``get_status``, ``get_metrics`` and ``get_logs`` that it has."""
    return list(load_cell(families()[family][provider]).permissions_by_handler)


def replayed(family: str, provider: str, handler: str = "get", later: bool = False) -> Any:
    """What the cell's handler returns for its demo account, from the cassette alone."""
    called = getattr(importlib.import_module(f"modules.{family}.main"), handler)
    event = accounts.load()[f"demo-{provider}"].event()
    file = cassettes.path(family, provider, handler, later)
    moment = cassettes.recorded_at(file)  # at which a replay's clock stands anyway
    clock = contextlib.nullcontext() if moment else cassettes.stopped_clock(SEEN_AT)
    with cassettes.replay(file) as cassette, clock:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = called(event, Context(dict(cassettes.CONFIG)))
        unused = len(cassette) - cassette.play_count
    if unused:
        raise AssertionError(f"{unused} exchanges of {family}/{file.name} are not asked for")
    return answer


def text(answer: Any) -> str:
    """A golden file: JSON that a person can read and compare; of points, one a line."""
    if isinstance(answer, list):
        return json.dumps(answer, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    ((what, points),) = ((name, each) for name, each in answer.items() if name != "last_update")
    lines = [json.dumps(each, ensure_ascii=False, sort_keys=True) for each in points]
    last_update = json.dumps(answer["last_update"])
    return f'{{"last_update": {last_update}, "{what}": [\n' + ",\n".join(lines) + "\n]}\n"


def path(family: str, provider: str, handler: str = "get", later: bool = False) -> Path:
    recorded = cassettes.path(family, provider, handler, later).relative_to(cassettes.ROOT)
    return EXPECTED / recorded.with_suffix(".json")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.expected", description="writes golden files"
    )
    names = ("family", "provider", "handler")
    for name in names:
        parser.add_argument(name, nargs="?", default="", metavar=name.upper())
    wanted = vars(parser.parse_args())
    cells = [
        (family, provider, handler)
        for family, providers in families().items()
        for provider in providers
        for handler in handlers(family, provider)
    ]
    for cell in cells:
        if all(wanted[name] in ("", value) for name, value in zip(names, cell)):
            for later in (False, True):
                if later and not cassettes.path(*cell, later=True).exists():
                    continue
                file = path(*cell, later=later)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text(replayed(*cell, later=later)), encoding="utf-8")


if __name__ == "__main__":
    main()
