"""Downloads what builds are made of, once: ``python -m tools.wheels``. Tests that build then need no network."""

from flexlocal import distributions, manifest


def main() -> None:
    for oldest in sorted({module.oldest for module in manifest.load().modules.values()}):
        distributions.wheels(oldest)


if __name__ == "__main__":
    main()
