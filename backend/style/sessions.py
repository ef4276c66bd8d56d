"""Opens ONNX files of style engines."""

from pathlib import Path
from typing import Any

from backend.core.errors import LabelLoomError, UsageError
from backend.imaging.hashes import sha256
from backend.style.base import Runtime


def session(path: Path, runtime: Runtime, words: tuple[str, str]) -> tuple[Any, str]:
    """Return an ONNX Runtime session on the CPU, and the file's sha256.

    Args:
        path: the file.
        runtime: its threads are the session's.
        words: what the file should hold, and what to do when it does not.

    Raises:
        UsageError: the file is missing, or does not hold it.
        LabelLoomError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        msg = "ONNX Runtime is not installed"
        raise LabelLoomError(msg, fix="pip install onnxruntime") from error
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = runtime.threads
    settings.log_severity_level = 4
    try:
        data = path.read_bytes()
        opened = onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # of the operating system or the runtime: the same to the user
        msg = f"{path} holds no {words[0]}: {str(error).splitlines()[0][:200]}"
        raise UsageError(msg, fix=words[1]) from error
    return opened, sha256(data)
