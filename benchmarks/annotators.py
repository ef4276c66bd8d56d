"""Do annotators notice a write-back? How long their saves take while one runs, against an idle Label Studio."""

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from backend.flows.write_back import write_back
from benchmarks.harness import Ratio, Scale, Section
from benchmarks.workload import workload
from benchmarks.write_back import CONFIG, label_studio
from connectors.label_studio import LabelStudio
from connectors.label_studio_install import VERSION
from connectors.label_studio_server import Account

CLIENTS, THINKING = 4, 1.0  # annotators, and seconds between a save's answer and their next one
BEFORE = """\
{clients} clients save annotations in one project of Label Studio {version} (SQLite, its own server, on this machine),
each {thinking} s after its last save was answered, while a write-back of {count} images into another project runs, and
for as long on the idle server, in turns. The ratio is of the 95th percentiles of a save's time."""


def run(scale: Scale) -> Section:
    """Time saves with and without a write-back, in turns."""
    with TemporaryDirectory() as name, label_studio(Path(name)) as account:
        work = workload(Path(name), min(scale.images or 100, 100))
        dataset = work.made()
        client = LabelStudio(account.url, account.token)
        source = client.create_project("source", "", CONFIG).id
        tasks = _tasks(account, source)
        write_back(client, source, dataset, "warm up")
        pairs: list[tuple[float, float]] = []
        for number in range(scale.pairs):
            begin = time.perf_counter()
            busy = _saves(account, tasks, lambda n=number: write_back(client, source, dataset, f"round {n}"))
            taken = time.perf_counter() - begin
            idle = _saves(account, tasks, lambda seconds=taken: time.sleep(seconds))
            pairs.append((_p95(busy), _p95(idle)))
    found = Ratio(
        "95th percentile of a save during write-back", "idle", tuple(busy / idle for busy, idle in pairs), "< 2"
    )
    told = "; ".join(f"{busy * 1000:.0f} ms against {idle * 1000:.0f} ms" for busy, idle in pairs)
    before = BEFORE.format(clients=CLIENTS, thinking=THINKING, version=VERSION, count=work.images * 5)
    return Section("Annotators during a write-back", before, (found,), f"Pairs: {told}.")


def _tasks(account: Account, project: int) -> list[int]:
    with httpx.Client(base_url=account.url, headers=_headers(account), timeout=60) as client:
        body = [{"data": {"image": f"/static/{number}.png"}} for number in range(CLIENTS)]
        client.post(f"/api/projects/{project}/import", json=body).raise_for_status()
        listed = client.get("/api/tasks/", params={"project": project}).json()
        return [task["id"] for task in listed["tasks"]]


def _headers(account: Account) -> dict[str, str]:
    return {"Authorization": f"Token {account.token}"}


def _saves(account: Account, tasks: list[int], meanwhile) -> list[float]:  # type: ignore[no-untyped-def]
    """Return the seconds of every save that ended while `meanwhile` ran."""
    over = threading.Event()
    found: list[float] = []

    def annotate(task: int) -> None:
        value = {"x": 10, "y": 10, "width": 30, "height": 30, "rotation": 0, "rectanglelabels": ["raccoon"]}
        region = {"id": "r1", "type": "rectanglelabels", "from_name": "label", "to_name": "image", "value": value}
        with httpx.Client(base_url=account.url, headers=_headers(account), timeout=60) as client:
            while not over.is_set():
                start = time.perf_counter()
                client.post(f"/api/tasks/{task}/annotations/", json={"result": [region]}).raise_for_status()
                found.append(time.perf_counter() - start)
                over.wait(THINKING)

    threads = [threading.Thread(target=annotate, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        meanwhile()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    return found


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]
