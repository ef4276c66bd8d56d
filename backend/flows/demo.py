"""The main job on real photographs: seed a project with hand-drawn labels, export, augment, write back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backend.core.errors import UsageError
from backend.core.model import Box, Dataset, Origin, Polygon, Region, Sample, Shape, Stream
from backend.core.progress import Progress
from backend.flows.augment import Options
from backend.flows.chosen import Chosen
from backend.flows.export import ExportReport, Target, export
from backend.flows.import_tasks import import_into
from backend.flows.preview import PreviewSize, preview_sheet
from backend.flows.recipes import load_recipe
from backend.flows.up import Say, running
from backend.imaging.decode import probe
from backend.settings import Settings
from connectors.label_studio_server import Account

TITLE = "LabelLoom demo"
RECIPE = "street-default"


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What the demo made, and where to look at it."""

    account: Account
    source_url: str
    export: ExportReport
    sheet: Path


@contextmanager
def demo(settings: Settings, progress: Progress, port: int, say: Say) -> Iterator[DemoReport]:
    """Run the demo; Label Studio keeps running until the context ends. Run again, it resumes or shows the same.

    Raises:
        UsageError: the photographs are not installed.
    """
    dataset = demo_dataset()
    with running(settings, port, say) as account:
        own = settings.model_copy(update={"label_studio_url": account.url, "label_studio_api_key": None})
        imported = import_into(dataset, None, TITLE, (own, progress))
        recipe = load_recipe(RECIPE, own)
        options = Options(name="labelloom-demo", formats=("yolo", "voc", "coco"), overwrite=True)
        target = Target(f"{TITLE}, augmented")
        report = export(imported.project_id, recipe, Chosen(), options, target, (own, progress))
        sheet = report.build.folder.parent / "labelloom-demo.jpg"
        preview_sheet(dataset, recipe, sheet, PreviewSize(images=6, variants=4), (own, progress))
        yield DemoReport(account, imported.url, report, sheet)


def demo_dataset() -> Dataset:
    """Return the colour photographs of scikit-image's wheel with our own boxes and polygons.

    Raises:
        UsageError: scikit-image is not installed.
    """
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        msg = "the demo's photographs come with scikit-image, which is not installed"
        raise UsageError(msg, fix="pip install 'labelloom[demo]', or use make demo")
    folder = Path(spec.origin).parent / "data"
    document = json.loads((files("backend.flows") / "demo_boxes.json").read_text(encoding="utf-8"))
    stream = Stream(lambda: (_sample(folder / name, regions) for name, regions in document["images"].items()))
    return Dataset("scikit-image photographs", tuple(document["labels"]), stream)


def _sample(path: Path, regions: list[dict[str, Any]]) -> Sample:
    size = probe(path)
    drawn = tuple(Region(f"{path.stem}-{i}", r["label"], _shape(r)) for i, r in enumerate(regions, start=1))
    return Sample(path.stem, str(path), path.name, size.width, size.height, drawn, origin=Origin(uri=path.name))


def _shape(region: dict[str, Any]) -> Shape:
    if "box" in region:
        return Box(*region["box"])
    return Polygon((tuple((float(x), float(y)) for x, y in region["polygon"]),))
