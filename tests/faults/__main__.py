"""Runs the fault matrix and prints a line for each family and provider: ``python -m tests.faults`` (make test-faults).

    --share 0.1      a tenth of the cases, by chance
    --seed TEXT      what the choice depends on; by default it is today
    --only TEXT      only handlers whose name (family/provider/handler) has this in it

Ends with exit status 1 if a case ends in anything but the complete answer or a documented error. Such cases are
printed as their handler ends.
"""

import argparse
import collections
import concurrent.futures
import datetime
import multiprocessing
import sys
import time
from typing import Any

from tests.faults import matrix

SHOWN = 20  # bad cases of a kind, of a family and provider


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description="Run the fault matrix."
    )
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", default=str(datetime.date.today()))
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    chosen = [polled for polled in matrix.all_polled() if options.only in str(polled)]
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    broken = 0
    started = time.monotonic()
    # a handler's memory goes with its process (Python 3.11 and newer)
    fresh: dict[str, Any] = {"max_tasks_per_child": 1} if sys.version_info >= (3, 11) else {}
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(mp_context=context, **fresh) as pool:
        runs = {
            pool.submit(matrix.run, polled, options.share, options.seed): polled
            for polled in chosen
        }
        for number, done in enumerate(concurrent.futures.as_completed(runs), 1):
            polled = runs[done]
            try:
                outcomes = done.result()
            except Exception as error:  # of the matrix itself: the other handlers go on
                broken += 1
                print(f"{polled} could not be run: {error!r}", file=sys.stderr)
                continue
            print(f"{number} of {len(runs)}: {polled}, {len(outcomes)} cases", file=sys.stderr)
            found = counts[f"{polled.family}/{polled.provider}"]
            for case, outcome in outcomes:
                found[outcome.kind] += 1
                if outcome.kind in matrix.BAD and found[outcome.kind] <= SHOWN:
                    print(f"{outcome.kind}: {case}\n    {outcome.detail}", file=sys.stderr)
    total: collections.Counter[str] = collections.Counter()
    for name, found in sorted(counts.items()):
        total += found
        print(line(name, found))
    print(line("all", total))
    print(f"seed {options.seed}, {time.monotonic() - started:.0f} s")
    return 1 if broken or not total or any(total[kind] for kind in matrix.BAD) else 0


def line(name: str, found: "collections.Counter[str]") -> str:
    kinds = (*matrix.GOOD, *matrix.BAD)
    return f"{name}: {sum(found.values())} cases, " + ", ".join(
        f"{kind} {found[kind]}" for kind in kinds
    )


if __name__ == "__main__":
    sys.exit(main())
