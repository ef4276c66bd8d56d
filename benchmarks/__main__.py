"""Run benchmarks and put what they found into docs/benchmarks.md: `python -m benchmarks [NAME ...]`."""

import re
import sys
from importlib import import_module

from benchmarks import BENCHMARKS
from benchmarks.harness import ROOT, Scale, machine

DOCUMENT = ROOT / "docs" / "benchmarks.md"
HEAD = """\
# Benchmarks

Written by `make bench` (`python -m benchmarks NAME ...` renews single sections). Every figure is a ratio against a
baseline that ran in the same session, in turns with ours (A B A B), told as smallest / **median** / largest ratio of
the pairs: seconds of another day or machine compare with nothing.

Machine: {machine}.
"""
_SECTION = re.compile(r"<!-- (\w+) -->\n(.*?)(?=<!-- \w+ -->\n|\Z)", re.DOTALL)


def main(names: list[str]) -> int:
    """Run the named benchmarks (none: all); return 0, or 1 when one could not run."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}: choose from {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    failed = 0
    for name in names or list(BENCHMARKS):
        print(f"== {name}", flush=True)
        try:
            section = import_module(BENCHMARKS[name]).run(Scale()).markdown()
        except Exception as error:  # noqa: BLE001 - the others still run, and the exit code tells
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
            failed = 1
            continue
        print(section, flush=True)
        put(name, section)
    return failed


def put(name: str, section: str) -> None:
    """Put a section into the document; those measured on another machine leave it."""
    head = HEAD.format(machine=machine())
    old = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    kept = dict(_SECTION.findall(old)) if old.startswith(head) else {}
    kept[name] = section
    parts = [f"<!-- {key} -->\n{kept[key].strip()}\n" for key in BENCHMARKS if key in kept]
    DOCUMENT.write_text("\n".join([head, *parts]), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
