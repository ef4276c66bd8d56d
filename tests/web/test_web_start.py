"""The server and the workers start together on an empty data folder, as `labelloom up` starts them."""

import subprocess
import sys
from pathlib import Path

_OPEN = """
from pathlib import Path
from backend.flows.jobs import Jobs
from backend.settings import Settings
folder = Path({folder!r})
with Jobs(Settings(data_dir=folder, cache_dir=folder)) as jobs:
    jobs.submit("preview", {{"project": 1, "recipe": "gentle"}}, "me")
"""


def test_processes_that_open_an_empty_database_at_once_all_live(tmp_path: Path) -> None:
    for number in range(2):
        code = _OPEN.format(folder=str(tmp_path / str(number)))
        command = [sys.executable, "-c", code]
        started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        told = [process.communicate(timeout=100)[1] for process in started]
        assert [process.returncode for process in started] == [0, 0, 0], "\n".join(told)
