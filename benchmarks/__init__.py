"""Measured figures: each module prints ratios against a baseline that it names and runs itself, in turns with ours.

A benchmark is one file with `run(scale) -> Section` and one line in `BENCHMARKS`. The programs it compares with lie in
`baselines/`, written as a user of those libraries would write them. `python -m benchmarks [NAME ...]` runs them and
puts what they found into docs/benchmarks.md.
"""

BENCHMARKS = {
    "throughput": "benchmarks.throughput",
    "torchvision_v2": "benchmarks.torchvision_v2",
    "write_back": "benchmarks.write_back",
    "annotators": "benchmarks.annotators",
    "memory": "benchmarks.memory",
    "jobs": "benchmarks.jobs",
    "webhooks": "benchmarks.webhooks",
    "pages": "benchmarks.pages",
    "ml_backend": "benchmarks.ml_backend",
    "detect": "benchmarks.detect",
    "figure3": "benchmarks.figure3",
    "read_back": "benchmarks.read_back",
    "collect": "benchmarks.collect",
    "style": "benchmarks.style",
    "ui_preview": "benchmarks.ui_preview",
}
