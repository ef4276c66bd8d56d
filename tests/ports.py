"""Ports for servers that tests start, apart from those of another process of the same run."""

import os


def own_port(first: int) -> int:
    """Return a port that no other process of this test run begins its search at (`pytest -n 2`)."""
    return first + 200 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
