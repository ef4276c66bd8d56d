"""Training as a job, in a real worker process: its log, its chain, a kill in the middle, a rule that starts it."""

import time
from pathlib import Path

import pytest
from fit_kit import make_dataset
from quick_cli import start

from backend.core.errors import UsageError
from backend.detect.model_dir import check_files
from backend.flows.jobs import Jobs
from backend.flows.rules import check_action, parse_rule
from backend.settings import Settings
from backend.store.jobs import lines_of
from backend.store.models import list_models
from benchmarks.fleet import fleet, wait_for, wait_until_running

QUICK = {"steps": 8, "views": 8}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", worker_timeout=3)
    make_dataset(made.datasets_dir / "너구리", range(12), split="train")
    make_dataset(made.datasets_dir / "너구리", range(12, 14), split="val")
    return made


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_worker_killed_while_it_trains_leaves_no_child_and_another_goes_on(settings: Settings, tmp_path: Path):
    with Jobs(settings) as jobs, fleet(settings, tmp_path / "logs", 1, start) as workers:
        job = jobs.submit("fit", {"dataset": "너구리", "options": QUICK}, "kim").id
        wait_until_running(jobs, job, "training", seconds=200)
        child = _children(workers.workers[0].pid)
        assert child
        workers.kill(0)
        _wait_until_gone(child)
        row = wait_for(jobs, job, seconds=300)
        assert row.state == "done" and row.runs == 2, (row, workers.told())
        told = [text for _, _, text in lines_of(jobs.engine, job)]
        models = list_models(jobs.engine)
    assert [one.version for one in models] == [row.result["model"]]
    info = check_files(models[0].folder)
    assert {"model.onnx", "model.int8.onnx", "weights.safetensors", "card.md", "curve.jsonl"} <= set(info.files)
    assert "work" not in {path.name for path in models[0].folder.iterdir()}
    assert not list(settings.models_dir.glob("*.partial"))
    assert any("loss" in line for line in told) and any(line.startswith("after 8 steps: AP") for line in told)
    assert row.result["data"]["images"] == {"train": 12, "holdout": 2, "left_out": 0}
    judged = row.result["metrics"]
    assert judged["int8"] == (judged["int8_ap"] >= judged["fp32_ap"] - 0.02)
    assert judged["ap"] == judged["int8_ap" if judged["int8"] else "fp32_ap"] and judged["ap50"] is not None


def _children(parent: int) -> list[int]:
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    found = {int(number) for number in text.split()}
    for task in Path(f"/proc/{parent}/task").iterdir():
        found |= {int(number) for number in (task / "children").read_text().split()}
    return [number for number in found if b"backend.detect.child" in Path(f"/proc/{number}/cmdline").read_bytes()]


def _wait_until_gone(processes: list[int]) -> None:
    end = time.monotonic() + 20
    for number in processes:
        while Path(f"/proc/{number}").exists() and "zombie" not in Path(f"/proc/{number}/status").read_text():
            assert time.monotonic() < end, f"{number} goes on without its worker"
            time.sleep(0.1)


def test_too_little_fails_with_what_is_missing_and_a_stop_before_it_starts_is_heard(settings: Settings, tmp_path: Path):
    make_dataset(settings.datasets_dir / "few", range(4))
    with Jobs(settings) as jobs:
        waiting = jobs.submit("fit", {"dataset": "너구리", "options": QUICK}, "kim").id
        assert jobs.cancel(waiting).state == "cancelled"
        with fleet(settings, tmp_path / "logs", 1, start):
            row = wait_for(jobs, jobs.submit("fit", {"dataset": "few"}, "kim").id)
        assert row.state == "failed" and "6 of the 10" in row.error and "label some more" in row.fix
        with pytest.raises(UsageError, match="either project or dataset"):
            jobs.submit("fit", {}, "kim")


def test_a_rule_may_train_and_pre_label(settings: Settings):
    def rule(kind: str, **params):
        return parse_rule(
            {"name": "r", "project": 7, "when": {"annotations": 50}, "do": {"kind": kind, "params": params}}
        )

    check_action(rule("fit", predict=True, fast=True), settings)
    check_action(rule("predict"), settings)
    with pytest.raises(UsageError, match="fit: detector"):
        check_action(rule("fit", detector="proxy"), settings)
    with pytest.raises(UsageError, match="fit: parameters: Value error, give either"):
        check_action(rule("fit", dataset="x"), settings)
