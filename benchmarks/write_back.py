"""How fast does a dataset become a Label Studio project, against Label Studio's own two steps and nothing else?"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
from platformdirs import user_cache_path

from backend.flows.dataset_dir import image_of, read_lines
from backend.flows.write_back import write_back
from backend.formats.label_config import parse_label_config
from backend.formats.label_studio import to_result
from backend.formats.manifest import line_to_sample
from benchmarks.harness import Ratio, Scale, Section, in_turns, ratios
from benchmarks.workload import workload
from connectors.label_studio import LabelStudio
from connectors.label_studio_install import VERSION, install
from connectors.label_studio_server import Account, LabelStudioServer

SOURCES = 100  # with 4 variants each and their originals: 500 tasks
CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="raccoon"/></RectangleLabels></View>'
)
BEFORE = """\
{count} images of a dataset that `labelloom augment` made, with their boxes, into a new project of Label Studio
{version} on this machine (SQLite, its own server). Ours is write-back whole: the source project and the users looked
up, the project with its tabs made, what is there already looked for, images uploaded by content, annotations imported,
repeats looked for. The baseline is Label Studio's two steps alone, with everything prepared beforehand: uploads with
`commit_to_project=false` in parts of 100, then one JSON import."""


def run(scale: Scale) -> Section:
    """Time the bare two steps and write-back, in turns, on one server."""
    with TemporaryDirectory() as name, label_studio(Path(name)) as account:
        work = workload(Path(name), min(scale.images or SOURCES, SOURCES))
        dataset = work.made()
        client = LabelStudio(account.url, account.token)
        source = client.create_project("source", "", CONFIG).id
        bare = _Bare(account, dataset)
        numbers = iter(range(1000))

        def ours() -> float:
            start = time.perf_counter()
            report = write_back(client, source, dataset, f"written back {next(numbers)}")
            taken = time.perf_counter() - start
            if report.created != bare.count:
                msg = f"write-back made {report.created} tasks, not {bare.count}"
                raise RuntimeError(msg)
            return taken

        in_turns([bare.load, ours], 1)  # once for nothing, so that Label Studio is warm
        rounds = in_turns([bare.load, ours], min(3, scale.pairs))
    medians = [median(times) for times in zip(*rounds, strict=True)]
    found = Ratio("rate of write-back", "bare two steps", ratios(rounds, 0, 1), ">= 0.8")
    after = f"Median seconds for {bare.count} tasks: bare {medians[0]:.1f} s, write-back {medians[1]:.1f} s."
    return Section("Write-back", BEFORE.format(count=bare.count, version=VERSION), (found,), after)


@contextmanager
def label_studio(folder: Path) -> Iterator[Account]:
    """Run a fresh Label Studio while the context lasts."""
    command = install(user_cache_path("labelloom") / f"label-studio-{VERSION}", print)
    with LabelStudioServer(command, folder / "label-studio") as server:
        yield server.start(print, port=8490)


class _Bare:
    """Label Studio's two steps with files and results read and translated beforehand."""

    def __init__(self, account: Account, dataset: Path) -> None:
        self._client = httpx.Client(
            base_url=account.url, headers={"Authorization": f"Token {account.token}"}, timeout=600
        )
        config = parse_label_config(CONFIG)
        formats = tuple(json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))["formats"])
        lines = list(read_lines(dataset))
        self._files = [(line["file"], image_of(dataset, line, formats).read_bytes()) for line in lines]
        self._results = [to_result(line_to_sample(line), config)[0] for line in lines]
        self.count = len(lines)

    def load(self) -> float:
        """Return the seconds for uploads in parts of 100 and one import."""
        project = self._client.post("/api/projects/", json={"title": "bare", "label_config": CONFIG}).json()["id"]
        where = f"/api/projects/{project}"
        start = time.perf_counter()
        ids: list[int] = []
        for begin in range(0, self.count, 100):
            parts = [(f"f{i}", file) for i, file in enumerate(self._files[begin : begin + 100])]
            answer = self._client.post(f"{where}/import?commit_to_project=false", files=parts).raise_for_status()
            ids += answer.json()["file_upload_ids"]
        stored = self._client.get(f"{where}/file-uploads", params={"ids": json.dumps(ids)}).json()
        paths = {entry["id"]: entry["file"] for entry in stored}
        urls = [f"/data/{paths[number]}" for number in ids]
        tasks = [
            {"data": {"image": url}, "annotations": [{"result": result, "ground_truth": False}]}
            for url, result in zip(urls, self._results, strict=True)
        ]
        self._client.post(f"{where}/import", json=tasks).raise_for_status()
        return time.perf_counter() - start
