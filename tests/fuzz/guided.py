"""Fuzzes one target with atheris, which prefers inputs that reach new code: ``python -m tests.fuzz.guided TARGET [INPUTS]``.

A crash ends it, with a traceback and the input in a file ``crash-...``. By default it goes on until it is interrupted.
make fuzz-guided installs atheris, on Linux with Python 3.11 to 3.13.
"""

import random
import sys

try:
    import atheris
except ImportError:
    raise SystemExit("atheris is not installed: make fuzz-guided TARGET=...") from None

with atheris.instrument_imports(include=["modules", "shared"]):
    from tests.fuzz import inputs
    from tests.fuzz.targets import all_targets


def main(name: str, count: int = -1) -> None:
    targets = all_targets()
    if name not in targets:
        raise SystemExit(f"TARGET should be one of: {', '.join(targets)}")
    target = targets[name]
    seeds = list(target.seeds())

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        rng = random.Random(seed)
        known = inputs.head(data)[1]  # atheris begins with an empty input
        return inputs.mutated(data if known.strip() else rng.choice(seeds), rng)[:longest]

    def run(data: bytes) -> None:
        target.run(data or seeds[0])

    arguments = [sys.argv[0], f"-runs={count}", "-max_len=100000"]
    atheris.Setup(arguments, run, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "", *map(int, sys.argv[2:3]))
