"""The commands that build modules and upload them to a CMP region."""

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flexlocal import build, cmp_api, manifest, options, publish, terminal
from flexlocal.build import Built
from flexlocal.options import BadUsage
from shared.engine import event as events
from shared.engine.masking import Masker, secrets_in, visible

FAILED = 1
SOURCE_SHOWN = 50  # characters, as the vendor's `flexer get`


def build_modules(args: SimpleNamespace) -> int:
    for built in _built(args):
        _show(built)
    return 0


def _built(args: SimpleNamespace) -> list[Built]:
    known = manifest.load()
    families = args.families or list(known.modules)
    for family in families:
        if family not in known.modules:
            raise BadUsage(
                f"flexer.yaml has no module {family!r}; it has {', '.join(known.modules)}"
                + options.nearest(family, known.modules)
            )
    for name in args.provider:
        if name not in known.providers:
            raise options.unknown("provider", name, known.providers)
    with _ended_by_interrupt():
        built = [build.build(known, family, args.provider) for family in families]
    for one in built:
        for version in one.module.pythons:
            if version not in one.byte_code:
                print(
                    f"warning: {one.module.family} has no byte code for {version}, since python{version} "
                    "is not on this host: a cold start there will take two to three times as long",
                    file=sys.stderr,
                )
    return built


@contextlib.contextmanager
def _ended_by_interrupt() -> Iterator[None]:
    """While a build runs, SIGTERM and SIGHUP end it like Ctrl-C: it removes its unfinished files."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGTERM, signal.SIGHUP)  # under nohup, the second is ignored and stays so
    deadly = [number for number in signals if signal.getsignal(number) == signal.SIG_DFL]
    for number in deadly:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)


def _show(built: Built) -> None:
    unpacked = sum(built.sizes.values())
    code = f", byte code for {' and '.join(built.byte_code)}" if built.byte_code else ""
    print(
        f"{built.module.family}: {_mb(built.zip.stat().st_size)} MB zip, {_mb(unpacked)} MB "
        f"unpacked{code}; imports in {built.import_s * 1000:.0f} ms"
    )
    largest = sorted(built.sizes.items(), key=lambda item: -item[1])
    print("  " + ", ".join(f"{name} {_mb(size)}" for name, size in largest if size >= 50_000))
    replayed = ", ".join(f"{count} of {name}" for name, count in built.replayed.items())
    print(f"  on its own it replays {replayed}")


def _mb(size: int) -> str:
    return f"{size / 1e6:.2f}"


def upload(args: SimpleNamespace) -> int:
    return _publish(args, creates=True)


def update(args: SimpleNamespace) -> int:
    return _publish(args, creates=False)


def _publish(args: SimpleNamespace, *, creates: bool) -> int:
    region = cmp_api.connect(args.region)
    with publish.locked():
        return _publish_to(region, args, creates)


def _publish_to(region: cmp_api.Region, args: SimpleNamespace, creates: bool) -> int:
    built = _built(args)
    steps = publish.plan(region, built)
    missing = [step.family for step in steps if step.why and step.module_id is None]
    if missing and not creates:
        raise cmp_api.RegionError(
            f"region {region.name} has no module of {', '.join(missing)}: "
            f"flexlocal upload {' '.join(missing)}"
        )
    for step in steps:
        print(f"would {step}" if args.dry_run and step.why else str(step))
    fewer = [step for step in steps if step.why and step.module_id and _drops(step, args)]
    if fewer and not args.dry_run and not args.yes:
        what = "; ".join(f"{step.family}: {_drops(step, args)}" for step in fewer)
        if not _confirmed(what):
            raise BadUsage(f"{what}. Nothing was sent; --yes does it")
    if not args.dry_run:
        publish.carry_out(region, steps, built)
    return 0


def _drops(step: publish.Step, args: SimpleNamespace) -> str:
    """What an existing module would lose, or an empty text."""
    if step.drops:
        return f"the module serves {', '.join(step.drops)} too, and then no longer"
    if step.drops is None and args.provider:
        return f"whatever the module serves besides {', '.join(args.provider)}, then no longer"
    return ""


def _confirmed(what: str) -> bool:
    """Whether a person at a terminal says yes; without a terminal, False."""
    if not sys.stdin.isatty():
        return False
    print(f"{what}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def list_modules(args: SimpleNamespace) -> int:
    region = cmp_api.connect(args.region)
    families = publish.families(region)
    for module in sorted(region.modules(), key=lambda module: (module["name"], module["id"])):
        family = families.get(module["id"], "-")
        print(
            visible(f"{module['id']}  {family:12}  {module.get('event_source')}  {module['name']}")
        )
    return 0


def get(args: SimpleNamespace) -> int:
    region = cmp_api.connect(args.region)
    module = region.get(_module_id(region, args.module))
    if len(str(module.get("source_code", ""))) > SOURCE_SHOWN:
        module["source_code"] = "*** REDACTED ***"
    print(json.dumps(module, indent=4, sort_keys=True))
    return 0


def download(args: SimpleNamespace) -> int:
    region = cmp_api.connect(args.region)
    module_id = _module_id(region, args.module)
    try:
        region.download(module_id, Path())
    except OSError as error:
        raise cmp_api.RegionError(f"{error.filename or '.'}: {error.strerror}") from None
    print(f"Module {module_id} downloaded in the current directory", file=sys.stderr)
    return 0


def _module_id(region: cmp_api.Region, name: str) -> str:
    """The id of a family's module; any other name is an id itself."""
    return publish.module_id(region, name) if name in manifest.load().modules else name


def execute(args: SimpleNamespace) -> int:
    event, _ = options.event(args)
    region = cmp_api.connect(args.region)
    module_id = publish.module_id(region, args.family)
    result = region.execute(module_id, args.handler, args.is_async, event)
    credentials = events.credentials_of(event)
    masked = Masker(
        secrets_in(credentials)
    )  # a module masks too, but the uploaded one may be another
    if result.get("logs"):
        for line in masked(region.mask(str(result["logs"]))).splitlines():
            terminal.say(line)
    error = result.get("error")
    if error:
        error = error if isinstance(error, dict) else {"exc_message": error}
        text = f"{error.get('exc_type')}: {error.get('exc_message')}"
        terminal.say(masked(region.mask(text)))
        return FAILED
    value = result.get("value")
    if value or not args.is_async:  # an asynchronous call has no value yet
        print(terminal.as_json(value))
    return FAILED if isinstance(value, dict) and value.get("ok") is False else 0


def logs(args: SimpleNamespace) -> int:
    region = cmp_api.connect(args.region)
    module_id = publish.module_id(region, args.family)
    for hit in region.logs(module_id):
        line = f"{hit.get('timestamp')}  {hit.get('severity')!s:5}  {hit.get('message')}"
        print(visible(region.mask(line)))
    return 0


def delete(args: SimpleNamespace) -> int:
    region = cmp_api.connect(args.region)
    with publish.locked():
        known = {family: publish.module_id(region, family) for family in args.families}
        what = "; ".join(
            f"{family}: {module_id} will be deleted" for family, module_id in known.items()
        )
        if sys.stdin.isatty() and not (args.dry_run or args.yes or _confirmed(what)):
            raise BadUsage("nothing was deleted")
        for family, module_id in known.items():
            if args.dry_run:
                print(f"would delete {family}: {module_id}")
            else:
                publish.delete(region, family)
                print(f"{family}: deleted {module_id}")
    return 0
