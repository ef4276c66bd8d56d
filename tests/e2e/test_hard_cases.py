"""What Label Studio's own exports get wrong, through a real server: each case comes out right here.

One task per case, all in one project, read as a dataset; the pictures are 640 x 480 unless said otherwise.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backend.core.geometry import tight_box
from backend.core.model import Box, Polygon, RotatedBox, Sample, Skipped
from backend.core.progress import Silent
from backend.flows.label_studio_source import Chosen, open_project
from backend.formats.label_studio_tasks import Annotations, Filter
from backend.settings import Settings
from connectors.label_studio import LabelStudio

pytestmark = pytest.mark.e2e

CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="red panda"/><Label value="cat"/><Label value="고양이"/></RectangleLabels>'
    '<PolygonLabels name="poly" toName="image"><Label value="cat"/></PolygonLabels>'
    '<KeyPointLabels name="kp" toName="image"><Label value="nose"/></KeyPointLabels>'
    '<Choices name="quality" toName="image"><Choice value="good"/></Choices></View>'
)
PLAIN = Box(64, 48, 192, 144)


def box(x: float, y: float, w: float, h: float, *labels: str, **more: Any) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": w, "height": h, "rotation": more.pop("rotation", 0), "rectanglelabels": [*labels]}
    size = {"original_width": 640, "original_height": 480} if more.pop("sized", True) else {}
    return {"id": more.pop("id", f"r{x}-{w}"), "from_name": "label", "to_name": "image", "type": "rectanglelabels",
            "image_rotation": 0, "value": value, **size, **more}  # fmt: skip


def drawn(*result: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"result": list(result), "ground_truth": False, **more}


def polygon() -> dict[str, Any]:
    value = {"points": [[10, 10], [30, 10], [30, 40]], "closed": True, "polygonlabels": ["cat"]}
    return {"id": "p", "from_name": "poly", "to_name": "image", "type": "polygonlabels", "value": value}


CASES: dict[str, list[dict[str, Any]]] = {
    "plain.jpg": [drawn(box(10, 10, 20, 20, "cat"), box(70, 70, 10, 10, "고양이"))],
    "turned.jpg": [drawn(box(50, 50, 20, 10, "cat", rotation=30))],
    "none.jpg": [],
    "empty.jpg": [drawn()],
    "two.jpg": [drawn(box(10, 10, 20, 20, "cat")), drawn(box(12, 12, 22, 22, "cat"))],
    "truth.jpg": [drawn(box(10, 10, 20, 20, "cat"), ground_truth=True), drawn(box(40, 40, 22, 22, "red panda"))],
    "skipped.jpg": [drawn(box(10, 10, 20, 20, "cat"), was_cancelled=True)],
    "skipped too.jpg": [drawn(box(60, 60, 20, 20, "cat")), drawn(box(10, 10, 20, 20, "cat"), was_cancelled=True)],
    "turned by exif.jpg": [drawn(box(10, 10, 20, 20, "cat"))],
    "both labels.jpg": [drawn(box(10, 10, 20, 20, "cat", "red panda"))],
    "no label.jpg": [drawn(box(10, 10, 20, 20), box(50, 50, 10, 10, "cat"))],
    "over the edge.jpg": [drawn(box(90, -10, 30, 30, "cat"))],
    "ghost.jpg": [drawn(box(10, 10, 20, 20, "ghost"))],
    "no size.jpg": [drawn(box(10, 10, 20, 20, "cat", sized=False))],
    "공백 이름.jpg": [drawn(box(10, 10, 20, 20, "cat"))],
    "zero.jpg": [drawn(box(10, 10, 0, 0, "cat"), box(50, 50, 10, 10, "cat"))],
    "mixed.jpg": [drawn(box(10, 10, 20, 20, "cat"), polygon())],
}


def photo(name: str) -> bytes:
    image = Image.new("RGB", (640, 480), "gray")
    exif = Image.Exif()
    if name == "turned by exif.jpg":
        exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def project(ls: LabelStudio) -> int:
    made = ls.create_project("hard cases", "", CONFIG).id
    parts = {f"f{i}": (name, photo(name)) for i, name in enumerate(CASES)}
    where = f"api/projects/{made}/import"
    ids = ls.request("POST", where, params={"commit_to_project": "false"}, files=parts).json()["file_upload_ids"]
    urls = [f"/data/{ls.request('GET', f'api/import/file-upload/{number}').json()['file']}" for number in ids]
    tasks = [
        {"data": {"image": url}, "meta": {"case": name}, "annotations": CASES[name]}
        for name, url in zip(CASES, urls, strict=True)
    ]
    again = {"data": {"image": urls[0]}, "meta": {"case": "again"}, "annotations": CASES["plain.jpg"]}
    ls.request("POST", where, json=[*tasks, again])
    return made


Read = Callable[[Annotations], dict[str, Sample]]


@pytest.fixture
def read(ls: LabelStudio, project: int, tmp_path: Path) -> Read:
    def inner(annotations: Annotations = "newest") -> dict[str, Sample]:
        values = {"label_studio_url": ls.url, "label_studio_api_key": ls.auth._token, "cache_dir": tmp_path}
        chosen = Chosen(filter=Filter(annotations))
        with open_project(project, Settings(data_dir=tmp_path, **values), Silent(), chosen) as source:
            samples = list(source.dataset.samples)
            if annotations == "newest":
                assert (
                    source.selection.text()
                    == "16 of 18 tasks: 1 skipped, 1 unlabelled (of the 16, 1 is an empty background image)"
                )
                assert source.dataset.labels == ("red panda", "cat", "고양이", "nose")
        assert not [s for s in samples if isinstance(s, Skipped)]
        return {dict(s.fields)["meta.case"]: s for s in samples if isinstance(s, Sample)}

    return inner


def boxes(sample: Sample) -> list[tuple[str, Any]]:
    tight = [(r.label, tight_box(r.shape)) for r in sample.regions]
    return [(label, Box(*(round(getattr(b, n), 3) for n in Box.__slots__)) if b else None) for label, b in tight]


def test_every_hard_case_comes_out_right(read: Read) -> None:
    samples = read("newest")
    assert boxes(samples["plain.jpg"]) == [("cat", PLAIN), ("고양이", Box(448, 336, 512, 384))]
    turned = samples["turned.jpg"].regions[0].shape
    assert isinstance(turned, RotatedBox)
    around = tight_box(turned)
    assert around is not None
    assert (around.x0, around.y0, around.width, around.height) == pytest.approx((296, 240, 134.85, 105.57), abs=0.01)
    assert samples["empty.jpg"].regions == ()  # background, not missing
    assert {"none.jpg", "skipped.jpg"}.isdisjoint(samples)
    assert boxes(samples["two.jpg"]) == [("cat", Box(76.8, 57.6, 217.6, 163.2))]  # the newer one
    assert [r.label for r in samples["truth.jpg"].regions] == ["red panda"]
    assert boxes(samples["skipped too.jpg"]) == [("cat", Box(384, 288, 512, 384))]
    upright = samples["turned by exif.jpg"]
    assert (upright.width, upright.height) == (480, 640)
    assert boxes(upright) == [("cat", Box(48, 64, 144, 192))]
    assert boxes(samples["both labels.jpg"]) == [("cat", PLAIN), ("red panda", PLAIN)]
    assert boxes(samples["no label.jpg"]) == [("cat", Box(320, 240, 384, 288))]
    assert "has no label" in samples["no label.jpg"].notes[0]
    assert boxes(samples["over the edge.jpg"]) == [("cat", Box(576, 0, 640, 96))]
    assert "clipped" in samples["over the edge.jpg"].notes[0]
    assert boxes(samples["ghost.jpg"]) == [("ghost", PLAIN)]
    assert "not in the labelling config" in samples["ghost.jpg"].notes[0]
    assert boxes(samples["no size.jpg"]) == [("cat", PLAIN)]
    assert samples["공백 이름.jpg"].name.endswith("-공백_이름.jpg")
    assert boxes(samples["zero.jpg"]) == [("cat", Box(320, 240, 384, 288))]
    assert "no area" in samples["zero.jpg"].notes[0]
    assert [type(r.shape) for r in samples["mixed.jpg"].regions] == [Box, Polygon]  # keypoint labels in the config
    assert boxes(samples["again"]) == boxes(samples["plain.jpg"])  # the same picture in two tasks: both
    assert samples["again"].id != samples["plain.jpg"].id


def test_ground_truth_counts_when_asked_for(read: Read) -> None:
    samples = read("ground-truth")
    assert {name: boxes(s) for name, s in samples.items()} == {"truth.jpg": [("cat", PLAIN)]}


def test_consensus_of_one_person_is_their_newest(read: Read) -> None:
    assert boxes(read("consensus")["two.jpg"]) == [("cat", Box(76.8, 57.6, 217.6, 163.2))]


def test_a_file_that_is_gone_is_one_skipped_image(
    ls: LabelStudio, new_project: Callable[..., int], tmp_path: Path
) -> None:
    task = {"data": {"image": "/data/upload/1/gone.jpg"}, "annotations": [drawn()]}
    values = {"label_studio_url": ls.url, "label_studio_api_key": ls.auth._token, "cache_dir": tmp_path}
    gone = new_project(config=CONFIG, tasks=[task])
    with open_project(gone, Settings(data_dir=tmp_path, **values), Silent()) as source:
        (skipped,) = source.dataset.samples
    assert isinstance(skipped, Skipped)
    assert "no longer has this file" in skipped.reason
