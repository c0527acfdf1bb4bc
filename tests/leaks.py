"""Looks for a secret in whatever bytes a worker leaves behind: files of databases and brokers, logs, metrics."""

from collections.abc import Iterable
from pathlib import Path

from tests.fakes.canaries import FORMS

PART = 12  # characters of a form, from its quarters on: its ends may be of what is around it


def forms(secret):
    """Each form of it as bytes, with its name; long forms also in parts, since a file may cut them."""
    found = {}
    for name, form in FORMS.items():
        text = form(secret)
        parts = {"": text}
        if len(text) >= 4 * PART:
            parts.update({f", part {n}": text[n * len(text) // 4 :][:PART] for n in (1, 2, 3)})
        for which, part in parts.items():
            for encoding in ("utf-8", "utf-16-le"):
                found.setdefault(part.encode(encoding), f"{name}{which} ({encoding})")
    return found


def leaks(secret, paths: Iterable[Path] = (), texts: Iterable[str] = ()):
    """Where the secret is, in which form: an empty list if it is nowhere. Folders are read with all that is in them."""
    wanted = forms(secret)
    found = []
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                content = file.read_bytes()
                found += [f"{file}: {name}" for form, name in wanted.items() if form in content]
    for number, text in enumerate(texts, 1):
        content = text.encode(errors="surrogatepass")
        found += [f"text {number}: {name}" for form, name in wanted.items() if form in content]
    return found
