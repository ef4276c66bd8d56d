"""Which pictures engines are measured on where none are named: the demo's photographs, and the library's own styles."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from backend.core.errors import UsageError
from backend.settings import Settings


def usual_contents(folders: Sequence[Path]) -> list[Path]:
    """Return the pictures below the folders, or scikit-image's photographs.

    Raises:
        UsageError: a folder is empty, or none was given and scikit-image is not installed.
    """
    from backend.style.train.data import find

    if folders:
        return find(folders)
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        msg = "there are no photographs to measure with"
        raise UsageError(msg, fix="give a folder with --content, or pip install 'labelloom[demo]'")
    data = Path(spec.origin).parent / "data"
    names = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "hubble_deep_field.jpg", "rocket.jpg")
    return [data / name for name in names if (data / name).is_file()]


def usual_styles(given: Sequence[Path], settings: Settings) -> list[Path]:
    """Return the style pictures named, or those that LabelLoom makes itself.

    Raises:
        UsageError: a folder is empty.
    """
    from backend.flows.style.library import find_styles
    from backend.style.train.data import find

    return find(given) if given else [style.path for style in find_styles(["made"], settings)]
