"""Datasets on disk become tasks, and read back as what they were."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from backend.core.errors import UsageError
from backend.core.model import Box, Dataset, Mask, Polygon, Region, Sample, Skipped, Stream, Tag
from backend.core.progress import Silent
from backend.flows.import_tasks import config_for, import_into
from backend.flows.label_studio_source import open_project
from backend.formats.label_config import parse_label_config
from backend.formats.recognise import recognise
from backend.settings import Settings
from connectors.label_studio import LabelStudio

pytestmark = pytest.mark.e2e


@pytest.fixture
def settings(ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path) -> Settings:
    """Settings for the session's server; `new_project` deletes what the test makes."""
    folders = {"data_dir": tmp_path / "data", "cache_dir": tmp_path / "cache"}
    return Settings(label_studio_url=ls.url, label_studio_api_key=ls.auth._token, **folders)


def back(project: int, settings: Settings) -> dict[str, Sample]:
    with open_project(project, settings, Silent()) as source:
        return {dict(s.fields)["data.name"]: s for s in source.dataset.samples if isinstance(s, Sample)}


def test_voc_photographs_become_tasks_and_read_back_the_same(
    ls: LabelStudio, settings: Settings, data_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "voc"
    for part, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
        (folder / part).mkdir(parents=True)
        for path in sorted((data_dir / "bccd" / part).glob(f"*{suffix}"))[:12]:
            shutil.copy(path, folder / part)
    found = recognise(folder)
    dataset = found.format.open(found.folder)
    tools = settings, Silent()
    report = import_into(dataset, None, "Blood cells", tools)
    assert (report.created, report.present, report.skipped) == (12, 0, [])
    project = ls.project(report.project_id)
    assert parse_label_config(project.label_config).labels == dataset.labels
    again = import_into(dataset, None, "Blood cells", tools)
    assert (again.project_id, again.created, again.present) == (report.project_id, 0, 12)
    annotations = [a for task in ls.tasks(project.id) for a in task["annotations"]]
    assert [a["ground_truth"] for a in annotations] == [False] * 12
    read = back(project.id, settings)
    assert len(read) == 12
    for sample in dataset.samples:
        assert isinstance(sample, Sample)
        same = read[sample.name]
        assert (same.width, same.height) == (sample.width, sample.height)
        assert [r.label for r in same.regions] == [r.label for r in sample.regions]
        for one, other in zip(sample.regions, same.regions, strict=True):
            assert isinstance(one.shape, Box)
            assert isinstance(other.shape, Box)
            for name in Box.__slots__:
                assert getattr(other.shape, name) == pytest.approx(getattr(one.shape, name), abs=1e-4)


def sample(path: Path, *regions: Region, tags: tuple[Tag, ...] = (), split: str | None = None) -> Sample:
    return Sample(path.stem, str(path), path.name, 40, 30, regions, tags, split=split)


def test_every_kind_of_shape_finds_a_control_and_bad_files_are_named(settings: Settings, tmp_path: Path) -> None:
    kinds = {"a.jpg": "JPEG", "b.png": "PNG", "c.jpg": "TIFF", "wrong.jpg": "PNG", "none.png": "PNG"}
    for shade, (name, kind) in enumerate(kinds.items()):
        Image.new("L", (40, 30), shade).save(tmp_path / name, kind)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    bits = Mask(40, 30, (100, 50, 1050))
    triangle = Polygon((((1, 1), (20, 1), (20, 20)),))
    samples = [
        sample(tmp_path / "a.jpg", Region("1", "cat", Box(1, 2, 30, 20)), tags=(Tag("good"),), split="val"),
        sample(tmp_path / "b.png", Region("1", "고양이 <&>", triangle), Region("2", "cat", bits)),
        sample(tmp_path / "c.jpg", Region("1", "cat", Box(1, 2, 30, 20))),
        sample(tmp_path / "wrong.jpg", Region("1", "cat", Box(1, 2, 30, 20))),
        sample(tmp_path / "none.png"),
        sample(tmp_path / "broken.jpg"),
        Skipped("x.jpg", "the reader's reason"),
    ]
    dataset = Dataset("mine", ("cat", "고양이 <&>"), Stream(lambda: iter(samples)), tags=("good", "bad"))
    config = parse_label_config(config_for(dataset))
    assert config.labels == dataset.labels
    assert config.tags == dataset.tags
    assert [c.kind for c in config.controls] == ["rectangle", "polygon", "brush", "choices"]
    report = import_into(dataset, None, "Every shape", (settings, Silent()))
    assert report.created == 4
    reasons = {s.item: s.reason for s in report.skipped}
    assert "not tiff" in reasons["c.jpg"]
    assert reasons["x.jpg"] == "the reader's reason"
    assert set(reasons) == {"c.jpg", "broken.jpg", "x.jpg"}
    read = back(report.project_id, settings)
    outlined, brushed = read["b.png"].regions
    assert (outlined.label, brushed.label, brushed.shape) == ("고양이 <&>", "cat", bits)
    assert isinstance(outlined.shape, Polygon)
    assert outlined.shape.parts[0] == tuple(pytest.approx(point, abs=1e-6) for point in triangle.parts[0])
    assert read["a.jpg"].tags == (Tag("good", "class"),)
    assert read["a.jpg"].split == "val"
    assert read["none.png"].regions == ()  # a labelled dataset says: nothing on it


def test_images_without_labels_become_tasks_to_label(ls: LabelStudio, settings: Settings, tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.jpg")
    dataset = Dataset("plain", (), Stream(lambda: iter([sample(tmp_path / "a.jpg")])))
    report = import_into(dataset, None, "Plain images", (settings, Silent()))
    (task,) = ls.tasks(report.project_id)
    assert task["annotations"] == []


def test_a_title_label_studio_refuses_is_refused_first(settings: Settings) -> None:
    with pytest.raises(UsageError, match="3 to 50 characters"):
        import_into(Dataset("plain", (), Stream(lambda: iter([]))), None, "ab", (settings, Silent()))
