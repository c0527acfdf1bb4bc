"""Which inventory flexlocal uses."""

import pytest

from flexlocal import inventories
from flexlocal.options import BadUsage


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv(inventories.VARIABLE, raising=False)


def test_it_is_the_one_given_or_of_the_environment_or_in_the_data_folder(monkeypatch, tmp_path):
    assert inventories.address() == str(tmp_path / ".local/share/flexlocal/inventory.db")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which XDG says to ignore
    assert inventories.address() == str(tmp_path / ".local/share/flexlocal/inventory.db")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert inventories.address() == str(tmp_path / "data/flexlocal/inventory.db")
    monkeypatch.setenv(inventories.VARIABLE, "postgresql://host/db")
    assert inventories.address() == "postgresql://host/db"
    assert inventories.address("a.db") == "a.db"
    with pytest.raises(BadUsage, match="--inventory is empty"):
        inventories.address("")


def test_the_folder_of_the_usual_one_is_made(tmp_path):
    with inventories.opened(create=True):
        pass
    folder = tmp_path / ".local/share/flexlocal"
    assert (folder / "inventory.db").exists()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(inventories, "NEEDED", ("sqlalchemy", "no_such_package"))
    with pytest.raises(BadUsage, match=r"needs .*no_such_package.*\[inventory\]"):
        inventories.opened()
