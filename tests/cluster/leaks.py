"""Looks for a secret in files, whatever they are: each form that tests/fakes/canaries.py has, and parts of each."""

from pathlib import Path

from tests.fakes.canaries import FORMS

PART = 12  # bytes: so many of a secret together are no coincidence, even among gigabytes
LETTERS = 8  # of them at least: quotes and backslashes alone are any JSON's


def parts(secret):
    """What is looked for: pieces of each form, one after another, so that of any cut of it one is whole."""
    found = set()
    for form in FORMS.values():
        coded = form(secret).encode(errors="replace")
        found.update(coded[at : at + PART] for at in range(0, len(coded) - PART + 1, PART))
    return {each for each in found if sum(chr(byte).isalnum() for byte in each) >= LETTERS}


def files(folder):
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def in_files(paths, secret):
    """Each file that has a part of the secret, with the parts."""
    sought = parts(secret)
    found = {}
    for path in paths:
        try:
            data = Path(path).read_bytes()
        except FileNotFoundError:  # a running server removes what it no longer needs
            continue
        seen = sorted(part for part in sought if part in data)
        if seen:
            found[str(path)] = seen
    return found
