"""What `datasets diff` says of two datasets whose differences are known."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from made import line, write_dataset
from typer.testing import CliRunner

from backend.cli import app
from backend.core.errors import UsageError
from backend.core.progress import Silent
from backend.flows.dataset_diff import LISTED, diff_datasets, locate
from backend.store.datasets import record_dataset
from backend.store.tables import open_database


def one(name: str, source: str, **more: Any) -> dict[str, Any]:
    made = line(f"{name}_v00.jpg", f"pixels of {name}", (64, 48), **{"variant": 0, **more})
    return {**made, "source": {"uri": "x", "sha256": source}}


def dataset(folder: Path, lines: list[dict[str, Any]], **described: Any) -> Path:
    folder.mkdir(parents=True)
    write_dataset(folder, sorted(lines, key=lambda entry: str(entry["file"])))
    description = json.loads((folder / "dataset.json").read_text())
    versions = {"labelloom": "0.1.0", "numpy": "2.2.1"}
    (folder / "dataset.json").write_text(json.dumps(description | {"versions": versions} | described))
    return folder


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    drawn = line("x", "x", (64, 48))["regions"]
    other = [{**drawn[0], "label": "cat"}]
    a = [one("same", "1"), one("gone", "2"), one("old name", "3"), one("moves", "4"), one("labels", "5")]
    a += [one("pixels", "6"), one("source", "7"), one("ids", "8")]
    b = [one("same", "1"), one("new", "9"), one("new name", "3"), one("moves", "4", split="val")]
    b += [one("labels", "5", regions=other), one("pixels", "6", sha256="other"), one("source", "changed")]
    b += [one("ids", "8", regions=[{**drawn[0], "id": "another"}])]
    recipe = {"name": "r", "seed": 7, "boxes": {"min_size": 4}, "steps": [{"name": "Affine", "rotate": [-15, 15]}]}
    changed = {"name": "r", "boxes": {"min_size": 6}, "steps": [{"name": "Affine", "rotate": [-9, 9]}], "extra": True}
    return (
        dataset(tmp_path / "street-v1", a, recipe=recipe),
        dataset(tmp_path / "street-v2", b, recipe=changed, versions={"labelloom": "0.2.0", "numpy": "2.2.1"},
                labels=["cat", "raccoon"]),
    )  # fmt: skip


def test_each_kind_of_change_is_named(pair: tuple[Path, Path]) -> None:
    found = diff_datasets(*pair, Silent())
    assert not found.equal
    assert (found.images, found.same) == ((8, 8), 2)
    assert found.names == {
        "added": ["new_v00.jpg"],
        "removed": ["gone_v00.jpg"],
        "renamed": ["old name_v00.jpg -> new name_v00.jpg"],
        "moved": ["moves_v00.jpg: train -> val"],
        "labels": ["labels_v00.jpg"],
        "pixels": ["pixels_v00.jpg"],
        "source": ["source_v00.jpg"],
    }
    assert found.splits == {"train": (8, 7), "val": (0, 1), "test": (0, 0)}
    assert found.regions == {"cat": (0, 1), "raccoon": (8, 7)}
    assert found.recipe == [
        "- seed: 7",
        "- boxes.min_size: 4",
        "+ boxes.min_size: 6",
        "- steps[1].rotate: [-15, 15]",
        "+ steps[1].rotate: [-9, 9]",
        "+ extra: true",
    ]
    assert found.libraries == ['- labelloom: "0.1.0"', '+ labelloom: "0.2.0"']
    assert found.classes == ['- labels: ["raccoon"]', '+ labels: ["cat", "raccoon"]']


def test_the_other_way_round_is_the_mirror(pair: tuple[Path, Path]) -> None:
    there, back = diff_datasets(*pair, Silent()), diff_datasets(*reversed(pair), Silent())
    assert (there.names["added"], there.names["removed"]) == (back.names["removed"], back.names["added"])
    assert {kind: n for kind, n in there.counts.items() if kind not in {"added", "removed"}} == {
        kind: n for kind, n in back.counts.items() if kind not in {"added", "removed"}
    }
    assert diff_datasets(pair[0], pair[0], Silent()).equal


def test_a_dataset_with_nothing_in_common(tmp_path: Path) -> None:
    a = dataset(tmp_path / "a", [one(f"a{n:05}", f"a{n}") for n in range(LISTED + 500)])
    b = dataset(tmp_path / "b", [one(f"b{n:05}", f"b{n}") for n in range(3)])
    found = diff_datasets(a, b, Silent())
    assert (found.counts["removed"], len(found.names["removed"]), found.counts["added"]) == (LISTED + 500, LISTED, 3)
    empty = dataset(tmp_path / "none", [])
    assert diff_datasets(empty, b, Silent()).counts == {"added": 3}
    assert diff_datasets(empty, empty, Silent()).equal


def test_a_manifest_that_is_not_sorted_or_no_manifest_is_refused(tmp_path: Path) -> None:
    a = dataset(tmp_path / "a", [one("a", "1"), one("b", "2")])
    lines = (a / "manifest.jsonl").read_text().splitlines(keepends=True)
    (a / "manifest.jsonl").write_text("".join(reversed(lines)))
    with pytest.raises(UsageError, match=r"'a_v00\.jpg' comes after 'b_v00\.jpg'"):
        diff_datasets(a, a, Silent())
    (a / "manifest.jsonl").write_text("[]\n")
    with pytest.raises(UsageError, match="no manifest line"):
        diff_datasets(a, a, Silent())


@pytest.fixture
def engine(tmp_path: Path) -> sa.Engine:
    return open_database(f"sqlite:///{tmp_path / 'loom.db'}")


def test_names_and_folders(pair: tuple[Path, Path], engine: sa.Engine) -> None:
    record_dataset(engine, pair[0], source="x", images=8)
    assert locate(engine, "street-v1") == pair[0].resolve()
    assert locate(engine, str(pair[1])) == pair[1]
    with pytest.raises(UsageError, match="street-v9"):
        locate(engine, "street-v9")


def test_the_command(pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELLOOM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for name in pair:
        record_dataset(open_database(f"sqlite:///{tmp_path / 'data' / 'labelloom.db'}"), name, source="x", images=8)
    shell = CliRunner()
    shown = shell.invoke(app, ["datasets", "diff", "street-v1", str(pair[1])])
    assert shown.exit_code == 0, shown.output
    for text in ("--- street-v1", "images      8, 2 of them the same", "added       1", "    new_v00.jpg",
                 "moves_v00.jpg: train -> val", "splits      train 8 -> 7 (-1), val 0 -> 1 (+1)",
                 "  - boxes.min_size: 4", '  + labelloom: "0.2.0"'):  # fmt: skip
        assert text in shown.stdout, shown.stdout
    answer = json.loads(shell.invoke(app, ["datasets", "diff", "street-v1", "street-v2", "--json"]).stdout)
    assert (answer["equal"], answer["counts"]["images"], answer["names"]["added"]) == (False, [8, 8], ["new_v00.jpg"])
    assert "nothing differs" in shell.invoke(app, ["datasets", "diff", "street-v1", "street-v1"]).stdout
    missing = shell.invoke(app, ["datasets", "push", "street-v1"])
    assert missing.exit_code == 2 and "LABELLOOM_DATASETS_STORAGE" in missing.stderr
