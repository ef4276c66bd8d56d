"""Label Studio going away in the middle: a clear error, nothing lost, and the same call goes on when it is back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from made import noise_dataset

from backend.core.progress import Silent
from backend.flows.loading import FILES
from backend.flows.write_back import write_back
from connectors.errors import Unreachable
from connectors.label_studio import LabelStudio
from connectors.label_studio_server import LabelStudioServer
from connectors.label_studio_upload import ProjectContent

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class StopServer(Silent):
    """Progress that stops the server at its first report."""

    def __init__(self, server: LabelStudioServer) -> None:
        self.server = server

    def update(self, phase: str, done: int, total: int | None = None) -> None:
        self.server.stop()


def test_it_goes_on_when_label_studio_is_back(
    ls: LabelStudio, ls_server: LabelStudioServer, new_project: Callable[..., int], tmp_path: Path
) -> None:
    account, source = ls_server.account, new_project()
    folder = noise_dataset(tmp_path / "d", 120)
    try:
        with pytest.raises(Unreachable, match="cannot be reached") as caught:
            write_back(ls, source, folder, "interrupted", progress=StopServer(ls_server))
        assert caught.value.fix == "Check that it is running and that the address is right."
    finally:
        assert ls_server.start(print) == account  # the same address, user and token
    (project,) = [p for p in ls.projects() if p.title == "interrupted"]
    uploaded = ProjectContent(ls, project.id).uploads()
    assert len(uploaded) == FILES
    report = write_back(ls, source, folder, "interrupted")
    assert (report.project_id, report.created) == (project.id, 120)
    assert set(uploaded) < set(ProjectContent(ls, project.id).uploads())
    assert len({task["data"]["loom_file"] for task in ls.tasks(project.id)}) == 120
