"""What `/ml` adds to a bare detector, what eight annotators at once get, and how long /health takes meanwhile."""

import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

import httpx
import numpy as np

from backend.detect.base import Runtime
from backend.detect.model_dir import ONNX, Layout, ModelInfo, write_model
from backend.flows.loaded_models import open_folder
from backend.flows.service import free_port, gunicorn
from backend.imaging.encode import encode
from backend.imaging.hashes import sha256
from backend.settings import Settings
from backend.store.models import BackendRow, ModelRow, add_model, promote, set_backend
from backend.store.tables import open_database
from benchmarks.harness import ROOT, Ratio, Scale, Section, environment_with

SIZE, SIDE, LAYERS = (640, 480), 320, 10
VERSION = "fewshot-p3-v1"
CONFIG = (
    '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
    '<Label value="cat"/></RectangleLabels></View>'
)
LS = "http://localhost:9"  # nobody: what is asked for is in the cache
BEFORE = """\
A real server (`gunicorn`, one process, 16 threads, SQLite) is asked as Label Studio asks, one task a request: each time
another picture of {width} x {height} pixels, so that nothing is known of what it shows, with its file in the image
cache. The bare detector is the same model in this process, given pixels; reading and decoding count as the server's.
The two run in turns. The model is a stack of convolutions that takes about as long as the default detector."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and the client that asks it as Label Studio does."""

    client: httpx.Client
    settings: Settings

    def predict(self, url: str) -> float:
        """Ask for one task's prediction and return the seconds it took."""
        body = {"tasks": [{"id": 1, "data": {"image": url}}], "project": "3.1", "label_config": CONFIG}
        begin = time.perf_counter()
        answer = self.client.post("/ml/predict", json=body)
        taken = time.perf_counter() - begin
        if answer.status_code != 200 or len(answer.json()["results"][0]["result"]) != 1:
            msg = f"answered {answer.status_code}: {answer.text[:200]}"
            raise RuntimeError(msg)
        return taken

    def health(self) -> float:
        """Return the seconds until /health answered."""
        begin = time.perf_counter()
        self.client.get("/ml/health").raise_for_status()
        return time.perf_counter() - begin


def run(scale: Scale) -> Section:
    """Measure the overhead in turns with the bare detector, then eight at once with /health beside them."""
    count = 40 if scale.images is None else 4
    with _server() as server:
        folder = server.settings.models_dir / VERSION
        detector = open_folder(folder, Runtime())
        urls = iter([_picture(server.settings, n) for n in range((scale.pairs + 2) * count + 1)])
        pixels = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)

        def bare() -> float:
            begin = time.perf_counter()
            detector.predict([pixels])
            return time.perf_counter() - begin

        bare(), server.predict(next(urls))  # once for nothing: the model is loaded
        rounds = [[(bare(), server.predict(next(urls))) for _ in range(count)] for _ in range(scale.pairs)]
        single = [bare() for _ in range(count)]
        crowd, healths, wall = _crowd(server, [next(urls) for _ in range(2 * count)])
    medians = [tuple(median(side) for side in zip(*pairs, strict=True)) for pairs in rounds]
    overhead = [(b - a) * 1000 for a, b in medians]
    found = Ratio("answer of /predict", "bare detector", tuple(b / a for a, b in medians))
    alone, ours = (median(side) for side in zip(*medians, strict=True))
    after = (
        f"Medians: bare {alone * 1000:.1f} ms, answer {ours * 1000:.1f} ms: "
        f"**{median(overhead):.1f} ms** more (rounds {min(overhead):.1f} to {max(overhead):.1f}; target at most 10). "
        f"Eight at once: {len(crowd)} of {2 * count} tasks answered, {len(crowd) / wall:.1f} a second (bare, one after "
        f"another: {1 / median(single):.1f}), median {median(crowd) * 1000:.0f} ms; /health meanwhile p99 "
        f"{quantiles(healths, n=100, method='inclusive')[98] * 1000:.1f} ms, worst {max(healths) * 1000:.1f} ms of "
        f"{len(healths)} (target below 100)."
    )
    return Section("ML backend", BEFORE.format(width=SIZE[0], height=SIZE[1]), (found,), after)


def _crowd(server: Server, urls: list[str]) -> tuple[list[float], list[float], float]:
    """Return the seconds of each of the requests, of /health beside them, and of all together."""
    over = threading.Event()
    healths: list[float] = []

    def watch() -> None:
        while not over.is_set():
            healths.append(server.health())
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(server.predict, urls))
    wall = time.perf_counter() - begin
    over.set()
    watcher.join()
    return taken, healths, wall


def _picture(settings: Settings, number: int) -> str:
    """Put a picture into the image cache and return its address in Label Studio."""
    small = np.random.default_rng(number).integers(0, 255, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)
    data = encode(np.ascontiguousarray(small.repeat(8, 0).repeat(8, 1)))
    sha, url = sha256(data), f"/data/upload/3/{number}.jpg"
    known = settings.sources_dir / "by-url" / sha256(f"{LS} {url}".encode())
    for path, content in ((settings.sources_dir / sha[:2] / sha, data), (known, sha.encode())):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return url


@contextmanager
def _server() -> Iterator[Server]:
    home = ROOT / ".bench" / f"ml-{time.time_ns()}"
    settings = Settings(data_dir=home / "data", cache_dir=home / "cache", database_url=None)
    engine, password = open_database(settings.database), secrets.token_urlsafe(32)
    _write_model(settings.models_dir / VERSION)
    add_model(engine, ModelRow(VERSION, 3, "fewshot", settings.models_dir / VERSION, datetime.now(UTC)))
    promote(engine, 3, VERSION, who="a benchmark", why="first")
    set_backend(engine, BackendRow(3, sha256(password.encode()), "http://localhost/ml", 1))
    port = free_port("127.0.0.1", 9490)
    paths = {"LABELLOOM_DATA_DIR": str(settings.data_dir), "LABELLOOM_CACHE_DIR": str(settings.cache_dir)}
    environment = environment_with(
        {**paths, "LABELLOOM_DATABASE_URL": settings.database, "LABEL_STUDIO_URL": LS, "LABEL_STUDIO_API_KEY": "none"}
    )
    limits = httpx.Limits(max_keepalive_connections=16)
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", auth=("labelloom", password), timeout=60, limits=limits, trust_env=False
    )
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(gunicorn("127.0.0.1", port), env=environment, stderr=log, stdout=log, cwd=ROOT)
        try:
            _wait(client, home / "log")
            yield Server(client, settings)
        finally:
            client.close()
            process.terminate()
            process.wait(timeout=30)
            engine.dispose()
            shutil.rmtree(home)


def _wait(client: httpx.Client, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if client.get("/ml/health").is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    msg = f"the server did not start: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(msg)


def _write_model(folder: Path) -> None:
    """Write a model that finds one box and takes as long about it as a small detector does."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {"w0": random.standard_normal((64, 3, 8, 8)), "boxes_": np.array([[[40, 40, 200, 200]]])}
    weights |= {f"w{n}": random.standard_normal((64, 64, 3, 3)) / 24 for n in range(1, LAYERS + 1)}
    weights |= {"scores_": np.array([[[0.9]]]), "zero": np.array(0)}
    nodes = [helper.make_node("Conv", ["images", "w0"], ["x0"], strides=[8, 8])]
    for n in range(1, LAYERS + 1):
        nodes.append(helper.make_node("Conv", [f"x{n - 1}", f"w{n}"], [f"y{n}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"y{n}"], [f"x{n}"]))
    nodes += [
        helper.make_node("ReduceMean", [f"x{LAYERS}"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["boxes_", "nothing"], ["boxes"]),
        helper.make_node("Add", ["scores_", "nothing"], ["scores"]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, c]) for n, c in (("boxes", 4), ("scores", 1))]
    values = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "stack", [images], outputs, values)
    folder.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / ONNX)
    layout = Layout(kind="labelloom", size=(SIDE, SIDE), scale=1 / 127.5, mean=(1.0, 1.0, 1.0), pad=127)
    write_model(folder, ModelInfo(detector="fewshot", version=VERSION, labels=("cat",), layout=layout))
