"""Runs Label Studio and takes it down when whoever asked for it is gone. Standard library only; started as a script.

Why a process of its own: a parent killed with SIGKILL cannot stop its children, and the kernel's parent-death signal
fires when the starting *thread* ends and does not exist outside Linux. This process watches its parent's id instead.
It leads a session of its own, so Ctrl-C at the terminal reaches only the parent, which stops things in order.
The file lock it inherits stands for "a Label Studio runs in this data directory" and is freed with it, however it ends.
"""

import json
import os
import signal
import subprocess
import sys
from types import FrameType

POLL = 0.3  # seconds between looks at the parent
GRACE = 10.0  # seconds Label Studio gets to end by itself


def stop(child: "subprocess.Popen[bytes]") -> None:
    """End the child: politely, then by force."""
    child.terminate()
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def main() -> int:
    """Run the command given on standard input as `{"argv", "env", "log", "cwd", "parent"}` until either ends."""
    order = json.loads(sys.stdin.buffer.read())
    # Names another Label Studio was set up with must not leak into ours.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LABEL_STUDIO_", "HEARTEX_", "DJANGO_"))}  # noqa: TID251 - the child inherits it

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, on_signal)
    with open(order["log"], "ab") as log:  # noqa: PTH123 - no pathlib: this process starts as bare as possible
        child = subprocess.Popen(
            order["argv"],
            env={**inherited, **order["env"]},
            cwd=order["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            while os.getppid() == order["parent"]:
                try:
                    return child.wait(POLL)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if child.poll() is None:
                stop(child)
    return 1


if __name__ == "__main__":
    sys.exit(main())
