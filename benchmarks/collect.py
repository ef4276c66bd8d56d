"""Collecting from a list of addresses: a clean one against icrawler, and a hostile one with every trouble there is."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import ROOT, Ratio, Scale, Section, bench_python, in_turns, peak_pss, ratios, scratch, seconds

DEADLINE = "10"
THREADS = "32"
_TRUE = {  # what the rejected addresses of the hostile list have to be called
    "missing": {"http-404"},
    "truncated": {"truncated"},
    "cut": {"cut"},
    "html": {"not-an-image"},
    "duplicate": {"duplicate"},
    "drip": {"timeout", "too-slow", "duplicate"},
    "noai": {"opt-out"},
    "huge": {"too-large"},
    "bomb": {"too-many-pixels"},
    "good": {"duplicate"},  # where its copy comes first in the list
}


@dataclass(frozen=True, slots=True)
class Site:
    """The host's process. clean, hostile: the files that list addresses."""

    process: "subprocess.Popen[str]"
    clean: Path
    hostile: Path

    def asked(self) -> int:
        """Return how many requests came since the last time."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def serving(good: int, work: Path) -> Iterator[Site]:
    """Yield the running host of the images."""
    command = [sys.executable, "-m", "benchmarks.collect_host", str(good)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        lists = json.loads(process.stdout.readline())
        for name, urls in lists.items():
            (work / f"{name}.txt").write_text("\n".join(urls) + "\n", encoding="utf-8")
        try:
            yield Site(process, work / "clean.txt", work / "hostile.txt")
        finally:
            process.terminate()


def ours(listed: Path, folder: Path) -> list[str | Path]:
    """Return the command that collects a list with all checks on."""
    return [sys.executable, "-m", "benchmarks.collect_ours", listed, folder, DEADLINE]


def run(scale: Scale) -> Section:
    """Measure both lists."""
    good = scale.images or 500
    with scratch() as work, serving(good, work) as site:
        turn = iter(range(1000))

        def our_side() -> float:
            return seconds(ours(site.clean, work / f"ours{next(turn)}" / "c"), {})

        def their_side() -> float:
            program = ROOT / "benchmarks" / "baselines" / "icrawler_urls.py"
            return seconds([bench_python(), program, site.clean, work / f"theirs{next(turn)}", THREADS], {})

        rounds = in_turns([our_side, their_side], scale.pairs)
        lines = hostile_lines(site, work, good)
    ratio = Ratio(
        f"images a second, {good} good addresses, all checks on",
        f"icrawler 0.6.10, {THREADS} threads",
        ratios(rounds, over=1, under=0),
        ">= 1.5",
    )
    before = (
        f"A host on loopback answers after 50 ms with JPEGs of about 230 KB. Both sides are whole processes, 32 "
        f"connections each; ours decodes, compares and describes every image. The hostile list has {good} good images "
        f"and, in proportion to 500: 25 missing, 5 truncated, 5 cut, 10 HTML, 25 copies, 15 that drip for 30 s, 5 "
        f"reserved (`noai`), 2 of 80 MB and 3 bombs of 400 million pixels; the time allowed for an address is "
        f"{DEADLINE} s."
    )
    return Section("Collecting from the web", before, (ratio,), "\n".join(lines))


def hostile_lines(site: Site, work: Path, good: int) -> list[str]:
    """Return the acceptance lines of the hostile list as a table."""
    folder = work / "hostile" / "c"
    site.asked()
    start = time.perf_counter()
    peak = peak_pss(ours(site.hostile, folder), {})
    wall = time.perf_counter() - start
    first, wrong = site.asked(), _wrong(folder)
    seconds(ours(site.hostile, folder), {})
    again = site.asked()
    kept, bad = _kept(folder, good)
    resumed, parts = _killed(site, work, wall)
    rows = [
        ("good images kept", f"{kept} of {good}", f"{good}"),
        ("bad or doubled kept", str(bad), "0"),
        ("rejected without the right reason", f"{len(wrong)} {' '.join(sorted(wrong)[:5])}".strip(), "0"),
        ("reasons", ", ".join(f"{code} {number}" for code, number in _reasons(folder).most_common()), "-"),
        ("seconds (this machine)", f"{wall:.1f}", "< 15"),
        ("peak MiB", f"{peak:.0f}", "< 150"),
        ("requests of the first and the second run", f"{first}, {again}", "second 0"),
        ("killed in the middle and resumed: the same images", str(resumed == folder_names(folder)), "True"),
        ("killed in the middle and resumed: files not whole or not listed", str(parts), "0"),
    ]
    return ["| hostile list | found | must be |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)]


def _lines(folder: Path) -> list[dict[str, object]]:
    text = (folder / "manifest.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _kind(line: dict[str, object]) -> str:
    return str(line["url"]).split("/")[3]


def _code(line: dict[str, object]) -> str:
    reason = line["reason"]
    return str(reason["code"]) if isinstance(reason, dict) else ""


def _reasons(folder: Path) -> Counter[str]:
    return Counter(_code(line) for line in _lines(folder) if line["state"] == "rejected")


def _wrong(folder: Path) -> set[str]:
    """Return kind and reason of the rejected addresses that were rejected for another reason than theirs."""
    pairs = ((_kind(line), _code(line)) for line in _lines(folder) if line["state"] == "rejected")
    return {f"{kind}:{code}" for kind, code in pairs if code not in _TRUE[kind]}


def _kept(folder: Path, good: int) -> tuple[int, int]:
    """Return how many of the good pictures are kept (under whichever address), and how many kept ones are not."""
    kept = [line for line in _lines(folder) if line["state"] == "kept"]
    fine = {line["sha256"] for line in kept if _kind(line) in {"good", "duplicate", "drip"}}
    return min(len(fine), good), len(kept) - len(fine)


def folder_names(folder: Path) -> set[str]:
    """Return the names of a collection's images."""
    return {path.name for path in (folder / "images").rglob("*") if path.is_file()}


def _killed(site: Site, work: Path, wall: float) -> tuple[set[str], int]:
    """Kill a run in the middle, go on, and return the images' names and how many files are not whole."""
    folder = work / "killed" / "c"
    process = subprocess.Popen([*map(str, ours(site.hostile, folder))], cwd=ROOT, stdout=subprocess.DEVNULL)
    manifest = folder / "manifest.jsonl"
    until = time.monotonic() + wall + 30
    while time.monotonic() < until and process.poll() is None:
        if manifest.exists() and manifest.read_bytes().count(b"\n") > 20:
            break
        time.sleep(0.02)
    process.kill()
    process.wait()
    seconds(ours(site.hostile, folder), {})
    listed = {Path(str(line["file"])).name for line in _lines(folder) if line["state"] == "kept"}
    return folder_names(folder), len(folder_names(folder) ^ listed)
