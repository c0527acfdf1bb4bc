"""The families and providers that there are."""

import pkgutil

import modules


def names() -> list[str]:
    return sorted(
        name for _, name, is_package in pkgutil.iter_modules(modules.__path__) if is_package
    )


def families() -> dict[str, dict[str, str]]:
    """family -> provider -> module name of the cell."""
    from shared.engine import poll  # takes a while to import

    return {family: poll.cells(family) for family in names()}
