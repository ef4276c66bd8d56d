"""Tags by example: an image is tagged as the labelled images are that look most like it.

Training only computes a vector of each labelled image (what the ImageNet backbone sees in it, before it names a class)
and keeps them, so it takes seconds and never forgets. A tag's score is its share of the votes of the K most similar
images; closer ones have more to say. An image that is unlike all of them gets no tag, and the reason.
"""

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from backend.core.errors import ImageError, LabelLoomError, UsageError
from backend.core.model import Tag
from backend.detect.base import FLOOR, Detector, Example, Predicted, Report, Rgb, Runtime, Training
from backend.detect.letterbox import GREY
from backend.detect.model_dir import ONNX, Layout, ModelInfo, check_files, read_model
from backend.detect.onnx_model import framed, open_session, run
from backend.detect.options import parsed
from backend.imaging.decode import decode

INDEX = "index.npz"
SAME = 0.9995  # cosine from which two images are one and the same picture
_LAYOUT = Layout(kind="embedding", size=(224, 224), scale=1 / 127.5, mean=(1.0, 1.0, 1.0), pad=GREY, nms=None)
_SHARP = 0.05  # a neighbour that is further by this much in cosine has 1 / e of the say
_MARGIN = 0.1  # an image may be this much further from all others than any labelled image is

Floats = NDArray[np.float32]


class SimilarOptions(BaseModel):
    """neighbours: how many vote. least: the cosine below which nothing is similar; None: told by the labelled images.

    threshold: the share of votes from which a tag is shown.
    """

    model_config = ConfigDict(extra="forbid")

    neighbours: int = Field(5, ge=1, le=100)
    least: float | None = Field(None, ge=-1, le=1)
    threshold: float = Field(0.5, ge=0, le=1)


@dataclass(frozen=True, slots=True)
class Index:
    """Labelled images. vectors: (n, d), each of length 1; tagged: (n, tags), whether it has the tag; shas: of files."""

    vectors: Floats
    tagged: NDArray[np.bool_]
    shas: tuple[str, ...]


def train(training: Training, folder: Path, report: Report) -> ModelInfo:
    """Compute the vectors of labelled images and write the model's files into `folder`.

    Raises:
        UsageError: an option is wrong, or no image has a tag.
        LabelLoomError: no image can be read, or the backbone is not installed.
    """
    options = read_options(training.options)
    if not any(example.tags for example in training.train):
        msg = "no image has a tag to learn from"
        raise UsageError(msg, fix="choose tags for some tasks, and train again")
    _export(folder, training.threads)
    session = open_session(folder / ONNX, Runtime(threads=training.threads))
    kept: list[Example] = []
    vectors: list[Floats] = []
    for done, example in enumerate(training.train):
        report({"event": "phase", "phase": "looking at images", "done": done, "of": len(training.train)})
        try:
            rgb = decode(Path(example.path).read_bytes()).rgb
        except (ImageError, OSError) as error:
            report({"event": "note", "text": f"{example.path} is left out: {error}"})
            continue
        vectors.append(embed(session, rgb, folder / ONNX))
        kept.append(example)
    if not kept:
        msg = "none of the images to learn from can be read"
        raise LabelLoomError(msg, fix="see that the images are where the examples say")
    tagged = np.array([[tag in example.tags for tag in training.labels] for example in kept], bool)
    index = Index(np.stack(vectors), tagged, tuple(example.sha256 for example in kept))
    np.savez(folder / INDEX, vectors=index.vectors.astype(np.float16), tagged=tagged, shas=np.array(index.shas))
    kept_options = options.model_dump() | {"least": options.least if options.least is not None else _least(index)}
    return ModelInfo(
        detector="similar",
        version="untitled",
        labels=(),
        tags=training.labels,
        layout=_LAYOUT,
        threshold=options.threshold,
        options=kept_options,
    )


def read_options(given: Mapping[str, Any]) -> SimilarOptions:
    """Return the options of the detector similar.

    Raises:
        UsageError: one is unknown or cannot be.
    """
    return parsed(SimilarOptions, given, "similar")


def open_model(folder: Path, info: ModelInfo, runtime: Runtime) -> Detector:
    """Return a model that tags images.

    Raises:
        UsageError: a file is missing, was changed, or is not understood.
        LabelLoomError: it cannot be loaded, or not on the wanted device.
    """
    check_files(folder)
    return Similar(open_session(folder / ONNX, runtime), read_index(folder), info, folder / ONNX)


def read_index(folder: Path) -> Index:
    """Return the labelled images of a model's folder.

    Raises:
        UsageError: there are none, or they cannot be read.
    """
    tags = read_model(folder).tags
    try:
        with np.load(folder / INDEX, allow_pickle=False) as file:
            vectors, tagged, shas = file["vectors"].astype(np.float32), file["tagged"], file["shas"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        msg = f"{folder / INDEX} is no index of labelled images: {error}"
        raise UsageError(msg, fix="train the model again") from error
    if vectors.ndim != 2 or tagged.shape != (len(vectors), len(tags)) or shas.shape != (len(vectors),):
        msg = f"{folder / INDEX} is no index of labelled images: {vectors.shape}, {tagged.shape}, {shas.shape}"
        raise UsageError(msg, fix="train the model again")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return Index(vectors / np.maximum(lengths, 1e-6), tagged.astype(bool), tuple(shas.tolist()))


def embed(session: Any, rgb: Rgb, path: Path) -> Floats:
    """Return an image's vector (d,), of length 1.

    Raises:
        LabelLoomError: the model fails on it; `path` names it.
    """
    canvas, _, _ = framed(rgb, _LAYOUT)
    vector = run(session, canvas, _LAYOUT, path)["vector"].reshape(-1)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length):
        msg = f"the model {path} gave values that are no numbers"
        raise LabelLoomError(msg, fix="train the model again")
    normal: Floats = (vector / max(length, 1e-6)).astype(np.float32)
    return normal


class Similar:
    """A detector that compares images with labelled ones; several threads may share it."""

    def __init__(self, session: Any, index: Index, info: ModelInfo, path: Path) -> None:
        self.labels = info.labels
        self._tags, self._session, self._index, self._path = info.tags, session, index, path
        self._options = read_options(info.options)

    def predict(self, images: Sequence[Rgb]) -> list[Predicted]:
        """Return the tags of each image, the one with most votes first."""
        return [self._one(embed(self._session, rgb, self._path)) for rgb in images]

    def _one(self, vector: Floats) -> Predicted:
        close = self._index.vectors @ vector
        best, least = float(close.max()), self._options.least
        if least is not None and best < least:
            return Predicted(
                reason=f"it is unlike every labelled image (the closest has {best:.2f}, {least:.2f} is needed)"
            )
        shares = votes(close, self._index.tagged, self._options.neighbours)
        order = np.argsort(-shares, kind="stable")
        return Predicted(tags=tuple((Tag(self._tags[n]), float(shares[n])) for n in order if shares[n] >= FLOOR))


def votes(close: Floats, tagged: NDArray[np.bool_], neighbours: int) -> Floats:
    """Return each tag's share (tags,) of the votes of the closest images. close: (n,) cosines."""
    chosen = np.argsort(-close, kind="stable")[:neighbours]
    weights = np.exp((close[chosen] - close[chosen[0]]) / _SHARP)
    shares: Floats = ((weights @ tagged[chosen]) / weights.sum()).astype(np.float32)
    return shares


def _least(index: Index) -> float | None:
    """Return how close the loneliest labelled image is to another, less a margin; None: there is but one."""
    if len(index.vectors) < 2:
        return None
    lonely = 1.0
    for number, vector in enumerate(index.vectors):
        close = index.vectors @ vector
        close[number] = -1
        lonely = min(lonely, float(close.max()))
    return round(max(-1.0, lonely - _MARGIN), 4)


def _export(folder: Path, threads: int) -> None:
    """Write the backbone, from images to vectors, as model.onnx. Loads torch: only the child process trains."""
    import torch

    from backend.detect.fewshot.backbone import pretrained

    class Embedding(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = pretrained()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.net.embed(images)

    torch.set_num_threads(threads)
    net = Embedding().eval()  # the exporter gives a network back in the mode it found it in
    example = torch.zeros(1, 3, *_LAYOUT.size)
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["vector"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, on what it does not simplify
        torch.onnx.export(net, (example,), str(folder / ONNX), **names, opset_version=17, dynamo=False)
