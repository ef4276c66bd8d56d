"""Looking after models: which one predicts, back and forth, removing them; the commands and what they say."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fit_kit import constant_trainer, make_dataset, picture
from tiny_model import write_tiny
from typer.testing import CliRunner

from backend.cli import app
from backend.core.errors import LabelLoomError, UsageError
from backend.flows import fit as flow
from backend.flows import models, prelabel
from backend.settings import Settings
from backend.store import models as table
from backend.store.tables import open_database


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def enter(settings: Settings, version: str, project: int | None = 7, number: int = 0, **tiny):
    """Put a model of one constant box where models lie, and enter it."""
    folder = settings.models_dir / version
    how = {"boxes": [(10, 10, 40, 40)], "scores": [(0.9, 0.2)]} | tiny
    write_tiny(folder, ["너구리", "작은 고양이"], how["boxes"], how["scores"], version=version)
    created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    row = table.ModelRow(version, project, "fewshot", folder, created, {"ap": 0.5}, "a note")
    table.add_model(open_database(settings.database), row)


@pytest.fixture
def cli(settings, monkeypatch):
    monkeypatch.setenv("LABELLOOM_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LABELLOOM_CACHE_DIR", str(settings.cache_dir))
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)

    def run(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        return result.exit_code, result.stdout, result.stderr

    return run


def test_going_back_goes_further_back_each_time_and_promoting_starts_over(settings):
    engine = open_database(settings.database)
    for number, version in enumerate(("v1", "v2", "v3")):
        enter(settings, version, number=number)
        models.promote(engine, None, version, who="kim")
    models.promote(engine, 8, "v1", who="kim")  # another project, of its own
    assert [models.rollback(engine, 7, who="lee").version for _ in range(2)] == ["v2", "v1"]
    with pytest.raises(LabelLoomError, match="no earlier model"):
        models.rollback(engine, 7, who="lee")
    models.promote(engine, 7, "v3", who="kim")
    assert models.rollback(engine, 7, who="lee").version == "v1"
    assert table.history(engine, 7)[0].why == "rolled back from v3"
    with pytest.raises(LabelLoomError, match="no earlier model"):
        models.rollback(engine, 9, who="lee")
    assert {one.row.version: one.predicts_in for one in models.list_known(engine)} == {"v1": (7, 8), "v2": (), "v3": ()}


def test_a_model_that_was_damaged_or_is_unknown_is_never_promoted(settings):
    engine = open_database(settings.database)
    enter(settings, "v1")
    enter(settings, "v2", project=None)
    (settings.models_dir / "v1" / "model.onnx").write_bytes(b"something else")
    with pytest.raises(UsageError, match="not what it was"):
        models.promote(engine, 7, "v1", who="kim")
    with pytest.raises(UsageError, match="no model 'v9'"):
        models.promote(engine, 7, "v9", who="kim")
    with pytest.raises(UsageError, match="not trained for a project"):
        models.promote(engine, None, "v2", who="kim")
    assert table.current_model(engine, 7) is None


def test_the_model_in_use_is_not_removed_and_folders_of_others_stay(settings, tmp_path):
    engine = open_database(settings.database)
    enter(settings, "v1")
    models.promote(engine, 7, "v1", who="kim")
    with pytest.raises(LabelLoomError, match="predicts in project 7"):
        models.remove(engine, settings, "v1")
    enter(settings, "v2")
    elsewhere = tmp_path / "my model"
    write_tiny(elsewhere, ["a"], [(1, 1, 9, 9)], [(0.9,)], version="v3")
    table.add_model(engine, table.ModelRow("v3", None, "fewshot", elsewhere, datetime.now(UTC)))
    assert models.remove(engine, settings, "v2") and not models.remove(engine, settings, "v3")
    assert not (settings.models_dir / "v2").exists() and elsewhere.is_dir()
    assert [row.version for row in table.list_models(engine)] == ["v1"]


def test_which_predictions_are_ours_to_replace():
    known = {"mine"}
    for version in ("mine", "fewshot-p3-v12", "similar-p3-v1", "proxy-p3-theirs", "untrained: annotate some tasks"):
        assert prelabel._is_ours(version, known), version
    for version in ("", "yolo-v8", "fewshot", "my fewshot-p3-v1", "fewshot-p3-v1-final", "untrained model", "3"):
        assert not prelabel._is_ours(version, known), version


def test_the_commands_about_models(settings, cli):
    assert "no models yet" in cli("models", "list")[1]
    for number, version in enumerate(("v1", "v2")):
        enter(settings, version, number=number)
        assert cli("models", "promote", version)[0] == 0
    code, out, _ = cli("models", "list", "--json")
    (newest, oldest) = json.loads(out)["models"]
    assert (code, newest["version"], newest["predicts_in"], oldest["predicts_in"]) == (0, "v2", [7], [])
    assert "* in use in project 7" in cli("models", "list", "--project", 7)[1]
    assert "v1 predicts in project 7" in cli("models", "rollback", "--project", 7)[1]
    assert cli("models", "rollback", "--project", 7)[0] == 1
    code, _, errors = cli("models", "rm", "v1", "--yes")
    assert code == 1 and "promote another model" in errors
    assert cli("models", "rm", "v2")[0] == 1 and (settings.models_dir / "v2").is_dir()  # nobody said yes
    assert cli("models", "rm", "v2", "--yes")[0] == 0
    assert cli("models", "promote", "v2")[0] == 2


def test_boxes_for_files_bad_ones_named(settings, cli, tmp_path):
    enter(settings, "v1")
    good, bad = tmp_path / "너구리 사진.jpg", tmp_path / "bad.jpg"
    good.write_bytes(picture(1)[0])
    bad.write_bytes(b"no picture")
    code, out, _ = cli("predict", "--model", "v1", "--json", good, bad, tmp_path / "없다.jpg")
    answer = json.loads(out)
    assert code == 3 and [item["item"] for item in answer["skipped"]] == [str(bad), str(tmp_path / "없다.jpg")]
    (image,) = answer["images"]
    assert image["path"] == str(good)
    (box,) = image["boxes"]  # the other label stays below the model's threshold
    assert box["label"] == "너구리" and box["box"] == [15.0, 15.0, 60.0, 60.0]
    low = json.loads(cli("predict", "--model", settings.models_dir / "v1", "--threshold", 0.1, "--json", good)[1])
    assert [one["label"] for one in low["images"][0]["boxes"]] == ["너구리", "작은 고양이"]
    assert "너구리 0.90 at 15, 15, 60, 60" in cli("predict", "--model", "v1", good)[1]
    for arguments in (("predict", good), ("predict", "--project", 7, good), ("predict",)):
        assert cli(*arguments)[0] == 2


def test_a_model_is_measured_on_a_dataset(settings, cli, tmp_path):
    enter(settings, "v1", boxes=[(20, 20, 44, 44)], scores=[(0.9, 0.0)])
    folder = make_dataset(tmp_path / "모음", range(6), ["너구리", "곰"], split="train")
    make_dataset(folder, range(6, 10), ["너구리", "곰"], split="test")
    code, out, _ = cli("evaluate", "v1", folder, "--split", "test", "--json")
    answer = json.loads(out)
    assert code == 0 and answer["counts"] == {"images": 4, "boxes": 2}
    assert "'곰'" in answer["warnings"][0]
    assert set(answer["metrics"]["labels"]) == {"너구리", "작은 고양이"}
    low, high = answer["metrics"]["ap50_ci"]
    assert low <= answer["metrics"]["ap50"] <= high and answer["metrics"]["ap50"] > 0.3
    assert cli("evaluate", "v1", folder, "--split", "tset")[0] == 2
    assert cli("evaluate", "v9", folder)[0] == 2
    strange = make_dataset(tmp_path / "other", range(3), ["곰"])
    code, _, errors = cli("evaluate", "v1", strange)
    assert code == 1 and "none of the dataset's labels" in errors


def test_training_from_the_command_line(settings, cli, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(flow, "_in_child", constant_trainer(seen=seen))
    folder = make_dataset(tmp_path / "모음", range(20))
    out = tmp_path / "model"
    code, text, errors = cli("fit", folder, "--out", out, "--json", "--seed", 3, "--fast")
    answer = json.loads(text)
    assert code == 0 and answer["out"] == str(out) and answer["promoted"] is False
    assert answer["counts"]["images"]["train"] == 20 and "nothing tells how good" in " ".join(answer["warnings"])
    assert "loss" in errors
    shown = ("--option", "vflip=0.5", "--option", "scale=[0.8, 1.2]")
    assert cli("fit", folder, "--out", tmp_path / "other", *shown)[0] == 0
    assert seen[-1].options == {"vflip": 0.5, "scale": [0.8, 1.2]} and (seen[0].seed, seen[0].fast) == (3, True)
    assert cli("fit", folder, "--option", "vflip")[0] == 2
    assert cli("fit", folder, "--out", out)[0] == 2
    assert cli("fit", folder, "--project", 7)[0] == 2
    assert cli("fit", folder, "--device", "gpu")[0] == 2
    assert cli("fit", folder, "--predict")[0] == 2
    few = make_dataset(tmp_path / "few", range(4))
    code, _, errors = cli("fit", few)
    assert code == 1 and "6 of the 10 that are needed are missing" in errors
