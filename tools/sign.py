"""Signs the built zips and their SBOMs, and checks such a signature.

    python -m tools.sign KEY                 dist/SHA256SUMS, and dist/SHA256SUMS.sig with this SSH key
    python -m tools.sign --verify SIGNERS    that a key of this file signed what lies in dist/

``KEY`` is a private key, or a public one whose private half an agent holds. ``SIGNERS`` is a file as ssh-keygen(1)
describes it under ALLOWED SIGNERS: a name and a public key a line. The signature is of the namespace "file", which
``ssh-keygen -Y`` uses for files, so that who has neither this project nor Python can check it: docs/operate/upload.md.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from flexlocal.build import DIST

SUMS = "SHA256SUMS"
NAMESPACE = "file"
PATTERNS = ("*.zip", "*.cdx.json")


class SigningError(Exception):
    """What can't be signed, or is not what was signed; the message says why."""


def sums(folder: Path) -> str:
    """The lines of SHA256SUMS, in the format of sha256sum(1)."""
    files = sorted(file for pattern in PATTERNS for file in folder.glob(pattern))
    if not files:
        raise SigningError(f"{folder.name} holds no zips: run `make build` first")
    return "".join(
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files
    )


def sign(folder: Path, key: Path) -> None:
    if not key.is_file():
        raise SigningError("KEY should be the file of an SSH key: make sign KEY=...")
    text, signature = sums(folder), folder / f"{SUMS}.sig"
    signature.unlink(missing_ok=True)  # that of older zips; ssh-keygen would ask
    (folder / SUMS).write_text(text, encoding="utf-8")
    _ssh_keygen("sign", "-n", NAMESPACE, "-f", str(key), str(folder / SUMS))
    if not signature.exists():
        raise SigningError("ssh-keygen wrote no signature")


def verify(folder: Path, signers: Path) -> str:
    """Check the signature and that the folder holds just what was signed; returns the signer's name."""
    if not signers.is_file():
        raise SigningError("SIGNERS should be a file of allowed signers: make verify SIGNERS=...")
    listed, signature = folder / SUMS, folder / f"{SUMS}.sig"
    if not listed.is_file() or not signature.is_file():
        raise SigningError(f"{folder.name} has no {SUMS} with a signature: make sign KEY=...")
    signed = listed.read_bytes()
    of = ["-f", str(signers), "-s", str(signature)]
    names = _ssh_keygen("find-principals", *of).split()
    if not names:
        raise SigningError("no allowed signer has the signature's key")
    _ssh_keygen("verify", "-n", NAMESPACE, "-I", names[0], *of, given=signed)
    if sums(folder).encode() != signed:
        raise SigningError(f"{folder.name} does not hold what {SUMS} lists")
    return names[0]


def _ssh_keygen(what: str, *arguments: str, given: Optional[bytes] = None) -> str:
    """Run ``ssh-keygen -Y``; it may ask for the key's passphrase on the terminal."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise SigningError("ssh-keygen is not installed; on Debian: apt-get install openssh-client")
    done = subprocess.run(  # noqa: S603 - ssh-keygen, with files of the operator
        [program, "-Y", what, *arguments], input=given, capture_output=True
    )
    if done.returncode:
        output = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise SigningError(f"ssh-keygen -Y {what}: {output or done.returncode}")
    return done.stdout.decode(errors="replace")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.sign", description=__doc__)
    parser.add_argument("key", nargs="?", type=Path, default=Path())
    parser.add_argument("--verify", type=Path, metavar="SIGNERS")
    parser.add_argument("--folder", type=Path, default=DIST)
    given = parser.parse_args(arguments)
    try:
        if given.verify is not None:
            print(f"{given.folder.name}/{SUMS}: signed by {verify(given.folder, given.verify)}")
        else:
            sign(given.folder, given.key)
            print(f"{given.folder.name}/{SUMS}.sig")
    except SigningError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
