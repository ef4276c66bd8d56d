"""One collection from a list of addresses, all checks on: `python -m benchmarks.collect_ours LIST FOLDER DEADLINE`."""

import json
import sys
from pathlib import Path

from backend.core.progress import Silent
from backend.flows.collect.run import collect
from backend.flows.collect.spec import CollectSpec, LabelSpec
from backend.settings import Settings
from connectors.fetching.options import FetchOptions


def main() -> None:
    """Collect, and print the report."""
    listed, folder, deadline = sys.argv[1:]
    fetch = FetchOptions(
        deadline=float(deadline), connections=32, per_host=32, host_interval=0, allow_hosts=frozenset({"127.0.0.1"})
    )
    spec = CollectSpec((LabelSpec(None, (listed,)),), ("urls",), fetch=fetch)
    settings = Settings(data_dir=Path(folder).parent / "data", cache_dir=Path(folder).parent / "cache")
    print(json.dumps(collect(spec, Path(folder), (settings, Silent())).to_json()))


if __name__ == "__main__":
    main()
