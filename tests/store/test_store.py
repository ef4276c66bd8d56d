"""What is remembered between runs."""

from pathlib import Path

import pytest

from backend.core.errors import UsageError
from backend.flows.datasets import find_dataset
from backend.store.datasets import forget_dataset, list_datasets, record_dataset, record_project
from backend.store.splits import remember_splits, sticky_splits
from backend.store.tables import open_database


@pytest.fixture
def engine(tmp_path: Path):
    return open_database(f"sqlite:///{tmp_path / 'deep' / 'er' / 'labelloom.db'}")


def test_a_split_once_given_never_changes(engine):
    many = {f"{number:064x}": "train" for number in range(1200)}
    remember_splits(engine, "1@a", many)
    remember_splits(engine, "1@a", {f"{5:064x}": "val", "f" * 64: "test"})
    found = sticky_splits(engine, "1@a", [f"{5:064x}", f"{1199:064x}", "f" * 64, "e" * 64])
    assert found == {f"{5:064x}": "train", f"{1199:064x}": "train", "f" * 64: "test"}
    assert sticky_splits(engine, "2@b", many) == {}


def test_datasets_are_listed_newest_first_and_found_by_name_or_folder(engine, tmp_path):
    first, second, twin = tmp_path / "a" / "one", tmp_path / "a" / "two", tmp_path / "b" / "two"
    for folder in (first, second, twin):
        record_dataset(engine, folder, source="test", images=3)
    record_project(engine, second, label_studio="http://ls", project=7)
    assert [row.path for row in list_datasets(engine)] == [twin, second, first]
    assert find_dataset(engine, "one").images == 3
    assert find_dataset(engine, str(second)).project == 7
    with pytest.raises(UsageError, match="2 datasets are called 'two'"):
        find_dataset(engine, "two")
    forget_dataset(engine, twin)
    assert find_dataset(engine, "two").path == second
    record_dataset(engine, second, source="again", images=4)
    assert find_dataset(engine, "two").images == 4 and find_dataset(engine, "two").project is None


def test_a_broken_address_is_named():
    with pytest.raises(UsageError, match="database cannot be opened"):
        open_database("sqlite:////proc/nowhere/x.db")
