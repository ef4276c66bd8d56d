"""Tags by example, and labelled images that are unlike the rest of their tag."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from backend.core.errors import UsageError
from backend.detect.base import Example, Runtime, Training
from backend.detect.model_dir import ModelInfo, read_model, write_model
from backend.detect.onnx_model import open_session
from backend.detect.outliers import typical_first
from backend.detect.similar import INDEX, Similar, open_model, read_index, train, votes

TAGS = ("빨간 동그라미", "초록 네모", "줄무늬")
EACH = 5


def picture(kind: int, seed: int) -> np.ndarray[Any, Any]:
    """Draw a shape of its kind's colour at a place and of a size of its own, on a noisy ground."""
    random = np.random.default_rng(1000 * kind + seed)
    image = random.integers(90, 150, (160, 200, 3)).astype(np.uint8)
    x, y = (int(v) for v in random.integers(60, 100, 2))
    size = int(random.integers(25, 45))
    if kind == 0:
        cv2.circle(image, (x, y), size, (220, 30, 30), -1)
    elif kind == 1:
        cv2.rectangle(image, (x - size, y - size), (x + size, y + size), (30, 200, 40), -1)
    else:
        image[:, :: int(random.integers(6, 10))] = 255
        image[:, 1 :: int(random.integers(6, 10))] = 0
    return image


def saved(folder: Path, image: np.ndarray[Any, Any], *tags: str) -> Example:
    path = folder / f"{len(list(folder.iterdir()))}.png"
    cv2.imwrite(str(path), image[:, :, ::-1])
    return Example(str(path), path.stem.rjust(64, "0"), image.shape[1], image.shape[0], tags=tags)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelInfo, list[dict[str, Any]]]:
    """A model of five images of each tag, of one that has another's tag by mistake, and of one that cannot be read."""
    images, folder = tmp_path_factory.mktemp("그림"), tmp_path_factory.mktemp("모델")
    examples = [saved(images, picture(kind, n), TAGS[kind]) for n in range(EACH) for kind in range(3)]
    examples.append(saved(images, picture(1, 99), TAGS[2]))
    Path(images / "bad.png").write_bytes(b"not an image")
    examples.append(replace(examples[0], path=str(images / "bad.png")))
    events: list[dict[str, Any]] = []
    info = train(Training(TAGS, tuple(examples)), folder, events.append)
    return folder, write_model(folder, info), events


def test_new_images_get_the_tag_of_the_most_similar_ones(trained: tuple[Path, ModelInfo, Any]) -> None:
    folder, info, _ = trained
    model = open_model(folder, info, Runtime())
    found = model.predict([picture(kind, seed) for kind in range(3) for seed in (50, 51)])
    assert [one.tags[0][0].label for one in found] == [TAGS[kind] for kind in (0, 0, 1, 1, 2, 2)]
    for one in found:
        scores = [score for _, score in one.tags]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1, abs=0.05)  # each labelled image has one tag
        assert not one.regions
    assert (info.labels, info.tags) == ((), TAGS)


def test_what_is_unlike_everything_gets_no_tag_but_a_reason(trained: tuple[Path, ModelInfo, Any]) -> None:
    folder, info, _ = trained
    assert -1 < info.options["least"] < 1
    strict = info.model_copy(update={"options": info.options | {"least": 0.999}})
    session, index = open_session(folder / "model.onnx", Runtime()), read_index(folder)
    (found,) = Similar(session, index, strict, folder).predict([picture(0, 50)])
    assert not found.tags
    assert "unlike every labelled image" in found.reason


def test_an_image_that_cannot_be_read_is_left_out_and_told(trained: tuple[Path, ModelInfo, Any]) -> None:
    folder, _, events = trained
    assert len(read_index(folder).shas) == 3 * EACH + 1
    assert any(event["event"] == "note" and "bad.png is left out" in event["text"] for event in events)


def test_the_image_with_the_wrong_tag_comes_last(trained: tuple[Path, ModelInfo, Any]) -> None:
    ranked = typical_first(trained[0])
    assert len(ranked) == 3 * EACH + 1
    assert (ranked[-1].sha256, ranked[-1].tag) == (f"{3 * EACH}".rjust(64, "0"), TAGS[2])
    assert ranked[-1].score < 0.001 < ranked[-2].score
    assert all(0 <= one.score <= 1 for one in ranked)


def test_a_photograph_of_another_kind_comes_last_though_it_has_a_copy(data_dir: Path, tmp_path: Path) -> None:
    animals = sorted((data_dir / "raccoon").rglob("*.jpg"))[:10]
    blood = sorted((data_dir / "bccd").rglob("*.jp*g"))[:9]
    assert len(animals) == 10 and len(blood) == 9
    pairs = [(path, "너구리") for path in [*animals, blood[0], blood[0]]] + [(path, "blood") for path in blood[1:]]
    examples = [Example(str(path), f"{number:064d}", 1, 1, tags=(tag,)) for number, (path, tag) in enumerate(pairs)]
    write_model(tmp_path, train(Training(("너구리", "blood"), tuple(examples)), tmp_path, lambda _event: None))
    ranked = typical_first(tmp_path)
    assert {one.sha256 for one in ranked[-2:]} == {f"{10:064d}", f"{11:064d}"}
    assert ranked[-2].score < 0.01
    model = open_model(tmp_path, read_model(tmp_path), Runtime())
    new = sorted((data_dir / "bccd").rglob("*.jp*g"))[30]
    (found,) = model.predict([np.ascontiguousarray(cv2.imread(str(new))[:, :, ::-1])])
    assert found.tags[0][0].label == "blood"


def test_votes_are_shares_and_the_closest_has_most_to_say() -> None:
    tagged = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 0]], bool)
    shares = votes(np.array([0.9, 0.85, 0.85, 0.1], np.float32), tagged, 3)
    weights = np.array([1, np.exp(-1), np.exp(-1)])
    assert shares == pytest.approx([1 / weights.sum(), 2 * np.exp(-1) / weights.sum(), np.exp(-1) / weights.sum()])
    assert votes(np.array([0.9, 0.85, 0.85, 0.1], np.float32), tagged, 1) == pytest.approx([1, 0, 0])


@pytest.mark.parametrize(
    ("options", "tags", "said"),
    [
        ({"neighbours": 0}, ("a",), "the option neighbours"),
        ({"neigbours": 3}, ("a",), "the option neigbours"),
        ({}, (), "no image has a tag"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    options: dict[str, Any], tags: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    example = saved(tmp_path, picture(0, 0), *tags)
    with pytest.raises(UsageError, match=said):
        train(Training(("a",), (example,), options=options), tmp_path, lambda _event: None)


def test_an_index_that_is_none_is_refused(trained: tuple[Path, ModelInfo, Any], tmp_path: Path) -> None:
    info = trained[1].model_copy(update={"files": {}})
    objects = np.array([{"a": 1}], dtype=object)
    for name in ("text", "pickled", "odd"):
        if name == "text":
            (tmp_path / INDEX).write_bytes(b"hello")
        else:
            arrays = {"vectors": objects} if name == "pickled" else {"vectors": np.zeros((2, 4))}
            np.savez(tmp_path / INDEX, tagged=np.zeros((1, 3)), shas=np.array(["x"]), **arrays)
        write_model(tmp_path, info)
        with pytest.raises(UsageError, match="no index of labelled images"):
            read_index(tmp_path)
