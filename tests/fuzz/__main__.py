"""Fuzzes, and prints a line for each target: ``python -m tests.fuzz`` (make fuzz).

    --inputs 1000000   so many in all, split over the targets
    --seed TEXT        what the inputs depend on; by default it is today
    --only TEXT        only targets whose name has this in it
    --new FILE         where crashes are written, in the form of tests/fuzz/cases.json

Ends with exit status 1 if an input ends in anything but an answer or a documented error.
"""

import argparse
import collections
import concurrent.futures
import datetime
import json
import multiprocessing
import sys
import time
from pathlib import Path

from tests.fuzz import runs
from tests.fuzz.targets import all_targets

CHUNK = 20_000  # inputs of a target at once


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz.")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", default=str(datetime.date.today()))
    parser.add_argument("--only", default="")
    parser.add_argument("--new", type=Path, default=Path("fuzz-crashes.json"))
    options = parser.parse_args()
    names = [name for name in all_targets() if options.only in name]
    if not names:
        parser.error(f"no target has {options.only!r} in its name: {', '.join(all_targets())}")
    started = time.monotonic()
    results = _by_mutators(names, options.inputs, options.seed)
    total = runs.Result()
    for name in names:
        total.add(results[name])
        print(line(name, results[name]))
    print(line("all", total))
    print(f"seed {options.seed}, {time.monotonic() - started:.0f} s")
    found = [
        runs.as_case(name, f"{place}: {text}", data)
        for name in names
        for place, (data, text) in results[name].crashes.items()
    ]
    for each in found:
        print(f"{each['target']}: {each['was'][:300]}", file=sys.stderr)
    if found:
        options.new.write_text(json.dumps(found, indent=1), encoding="utf-8")
        print(f"the inputs are in {options.new}", file=sys.stderr)
    return 1 if found else 0


def _by_mutators(names: list[str], total: int, seed: str) -> "dict[str, runs.Result]":
    results: dict[str, runs.Result] = collections.defaultdict(runs.Result)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(mp_context=context) as pool:
        tasks = {}
        for name, count in runs.shares(names, total).items():
            for number, start in enumerate(range(0, count, CHUNK)):
                part = min(CHUNK, count - start)
                tasks[pool.submit(runs.part, name, part, f"{seed}/{number}")] = name
        for number, done in enumerate(concurrent.futures.as_completed(tasks), 1):
            print(f"{number} of {len(tasks)}: {tasks[done]}", file=sys.stderr)
            results[tasks[done]].add(done.result())
    return results


def line(name: str, result: runs.Result) -> str:
    count = result.answered + result.refused + len(result.crashes)
    return (
        f"{name}: {count} inputs, answered {result.answered}, refused as documented {result.refused}, "
        f"crashes {len(result.crashes)}"
    )


if __name__ == "__main__":
    sys.exit(main())
