"""Which model predicts where, and what was found, on both databases' terms."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend.store import models as store
from backend.store.models import BackendRow, ModelRow
from backend.store.tables import open_database


def test_the_last_promotion_says_which_model_predicts(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'db'}")
    for number in (1, 2):
        made = datetime(2026, 1, number, tzinfo=UTC)
        row = ModelRow(f"fewshot-p3-v{number}", 3, "fewshot", tmp_path / str(number), made, {"ap": 0.1 * number})
        store.add_model(engine, row)
        store.add_model(engine, row)  # again: one row
    assert store.current_model(engine, 3) is None
    store.promote(engine, 3, "fewshot-p3-v1", who="me", why="first")
    store.promote(engine, 3, "fewshot-p3-v2", who="me", why="better")
    assert store.current_model(engine, 3) == row
    assert [m.version for m in store.list_models(engine, 3)] == ["fewshot-p3-v2", "fewshot-p3-v1"]
    assert [p.version for p in store.history(engine, 3)] == ["fewshot-p3-v2", "fewshot-p3-v1"]
    store.remove_model(engine, "fewshot-p3-v2")
    assert (found := store.current_model(engine, 3)) and found.version == "fewshot-p3-v1"
    assert store.current_model(engine, 4) is None and store.list_models(engine, 4) == []


def test_a_project_without_a_choice_has_the_default_detector(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'db'}")
    assert store.detector_of(engine, 3) == ("fewshot", {})
    store.set_detector(engine, 3, "onnx", {"path": "고양이.onnx"})
    store.set_detector(engine, 3, "proxy", {"url": "http://x"})
    assert store.detector_of(engine, 3) == ("proxy", {"url": "http://x"})


def test_predictions_are_kept_by_image_and_version(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'db'}")
    many = {f"{n:064x}": [n] for n in range(1200)}
    store.remember_predictions(engine, "v1", many)
    store.remember_predictions(engine, "v1", {f"{1:064x}": ["second"]})  # two processes looked at it at once
    store.remember_predictions(engine, "v1", {})
    assert store.known_predictions(engine, "v1", [*many, "0" * 63 + "g"]) == many
    assert store.known_predictions(engine, "v2", list(many)) == {}
    assert store.prune_predictions(engine, timedelta(days=1)) == 0
    assert store.prune_predictions(engine, timedelta(seconds=-1)) == 1200


def test_one_backend_a_project(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'db'}")
    store.set_backend(engine, BackendRow(3, "a" * 64, "http://x/ml", 7))
    store.set_backend(engine, BackendRow(3, "b" * 64, "http://x/ml", 8))
    assert store.all_backends(engine) == [BackendRow(3, "b" * 64, "http://x/ml", 8)]
    store.forget_backends(engine, [3])
    assert store.all_backends(engine) == []
