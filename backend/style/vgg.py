"""The engine of the paper, for weights that the user has or fetches. torch is loaded when it is opened."""

from pathlib import Path

from backend.core.errors import LabelLoomError, UsageError
from backend.style.adain import AdainEngine
from backend.style.base import Json, Runtime

FILES = {"encoder": "vgg_normalised.pth", "decoder": "decoder.pth"}  # by option: what people call them


def files_in(folder: Path) -> Json:
    """Return the options that name a folder's files, there or not."""
    return {option: str(folder / name) for option, name in FILES.items()}


def open_engine(options: Json, runtime: Runtime) -> AdainEngine:
    """Return the engine. Options: `weights`, the folder of both files; `encoder`, `decoder`: one that lies elsewhere.

    How many threads torch computes with is the process's, and is set here.

    Raises:
        UsageError: a file is not named, missing, cut short or of another network, or there is no CUDA.
        LabelLoomError: torch is not installed.
    """
    files = tuple(_file(option, options) for option in FILES)
    try:
        import torch

        from backend.style.vgg_net import Vgg, best_way, read_pair
    except ImportError as error:
        msg = "the engine vgg needs torch, which is not installed"
        raise LabelLoomError(msg, fix="pip install 'labelloom[train]'") from error
    torch.set_num_threads(runtime.threads)
    pair = read_pair((files[0], files[1]))
    return AdainEngine(Vgg(pair, best_way(pair, runtime.device)))


def _file(option: str, options: Json) -> Path:
    if options.get(option):
        return Path(options[option])
    if options.get("weights"):
        return Path(files_in(Path(options["weights"]))[option])
    msg = f"the engine vgg needs its weights, and no {option} is named"
    raise UsageError(msg, fix="fetch them with `labelloom style fetch`, or give encoder=FILE and decoder=FILE")
