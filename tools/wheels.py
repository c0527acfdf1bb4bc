"""Downloads and unpacks what builds are made of, once: ``python -m tools.wheels``.

Tests that build then need no network, and need not wait for one another.
"""

from flexlocal import distributions, manifest


def main() -> None:
    known = manifest.load()
    for oldest in sorted({module.oldest for module in known.modules.values()}):
        distributions.site(known, oldest)


if __name__ == "__main__":
    main()
