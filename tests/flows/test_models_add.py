"""A model that somebody has already predicts in a project; labelled images unlike their tag are listed first."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from fit_kit import constant_trainer, make_dataset, picture, similar
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from backend.cli import app
from backend.core.errors import UsageError
from backend.core.progress import Silent
from backend.detect.model_dir import check_files
from backend.flows import models
from backend.flows.fit import FitOptions, fit
from backend.flows.fit_source import dataset_source
from backend.flows.models_add import add_model, inside
from backend.flows.predict_files import predict_files
from backend.settings import Settings
from backend.store import models as table
from backend.store.tables import open_database

LABELS = ["너구리", "작은 고양이"]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def yolo(path: Path) -> Path:
    """Write an exported model of the YOLO family (1, 4 + C, N) that finds one box of the second label everywhere."""
    found = np.zeros((1, 6, 8400), np.float32)
    found[0, :, 0] = (320, 320, 100, 50, 0.01, 0.8)
    node = helper.make_node("Constant", [], ["output0"], value=numpy_helper.from_array(found))
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 640, 640])
    out = helper.make_tensor_value_info("output0", TensorProto.FLOAT, found.shape)
    graph = helper.make_graph([node], "yolo", [given], [out])
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_an_exported_file_becomes_a_version_that_predicts(settings: Settings, tmp_path: Path) -> None:
    engine, tools = open_database(settings.database), (settings, Silent())
    options = {"path": str(yolo(tmp_path / "내 모델.onnx")), "labels": LABELS, "label_map": {"너구리": "raccoon"}}
    first = add_model("onnx", options, 7, tools, who="kim", run="job-1")
    again = add_model("onnx", options, 7, tools, who="kim", run="job-1")  # the worker died right after the first
    assert first.version == again.version == "onnx-p7-v1"
    assert len(table.history(engine, 7)) == 1 and table.detector_of(engine, 7) == ("onnx", options)
    assert add_model("onnx", options, 7, tools, who="kim", run="job-2").version == "onnx-p7-v2"
    row = table.current_model(engine, 7)
    assert row is not None and row.version == "onnx-p7-v2" and check_files(row.folder).labels == tuple(LABELS)
    assert "nothing is known of the images" in (row.folder / "card.md").read_text(encoding="utf-8")
    (tmp_path / "사진.jpg").write_bytes(picture(1)[0])
    (tmp_path / "읽어.txt").write_text("not an image by its name")
    found = predict_files([tmp_path], "onnx-p7-v1", None, tools)  # a folder
    assert [box["label"] for box in found.files[0].boxes] == ["작은 고양이"]
    assert [file.path.name for file in found.files] == ["사진.jpg"] and not found.skipped


def test_what_cannot_be_added_is_refused_and_leaves_nothing(settings: Settings, tmp_path: Path) -> None:
    tools = settings, Silent()
    with pytest.raises(UsageError, match="cannot be added"):
        add_model("fewshot", {}, 7, tools, who="kim")
    (tmp_path / "weights.onnx").write_bytes(b"not a model")
    with pytest.raises(UsageError):
        add_model("onnx", {"path": str(tmp_path / "weights.onnx"), "labels": LABELS}, 7, tools, who="kim")
    assert [path.name for path in settings.models_dir.iterdir() if not path.name.startswith(".")] == []
    assert table.current_model(open_database(settings.database), 7) is None


def test_over_http_only_files_of_the_data_folder_are_opened(settings: Settings, tmp_path: Path) -> None:
    settings.data_dir.mkdir()
    yolo(settings.data_dir / "in" / "a.onnx")
    yolo(tmp_path / "outside.onnx")
    (settings.data_dir / "link.onnx").symlink_to(tmp_path / "outside.onnx")
    given = inside({"path": "in/a.onnx", "labels": LABELS, "weights": "coco"}, settings)
    assert given == {"path": str(settings.data_dir / "in" / "a.onnx"), "labels": LABELS, "weights": "coco"}
    for bad in ("../outside.onnx", str(tmp_path / "outside.onnx"), "link.onnx", "/etc/passwd", "in", "gone.onnx"):
        with pytest.raises(UsageError, match="in the data folder"):
            inside({"path": bad}, settings)


def test_options_of_the_project_do_not_reach_the_trainer(settings: Settings, tmp_path: Path) -> None:
    seen = []

    def trainer(kind, training, folder, tick):
        seen.append(dict(training.options))
        return constant_trainer()(kind, training, folder, tick)

    source = dataset_source(make_dataset(tmp_path / "set", range(24)))
    options = FitOptions("fewshot", {"vflip": 0.5, "threshold": 0.4, "label_map": {}, "thresholds": {"너구리": 0.3}})
    fit(source, options, (settings, Silent()), trainer=trainer)
    assert seen == [{"vflip": 0.5}]


def test_the_image_that_is_unlike_its_tag_is_listed_first(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    version = similar(settings, None, [f"{number:064x}" for number in range(11)])
    monkeypatch.setenv("LABELLOOM_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("LABELLOOM_CACHE_DIR", str(settings.cache_dir))
    ended = CliRunner().invoke(app, ["models", "outliers", version, "--json"])
    assert ended.exit_code == 0, ended.stderr
    images = json.loads(ended.stdout)["images"]
    assert images[0]["item"] == f"{5:064x}" and images[0]["tag"] == "낮"
    assert images[0]["score"] < 0.05 < images[1]["score"] and len(images) == 11
    assert models.find(open_database(settings.database), version).project is None
