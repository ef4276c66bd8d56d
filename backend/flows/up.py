"""Runs a Label Studio of our own, and stops it again."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from backend.core.errors import LabelLoomError
from backend.flows.connect import action_environment, install_action
from backend.flows.image_stores import both_paths
from backend.settings import Settings
from connectors.errors import ServerError
from connectors.label_studio_install import install
from connectors.label_studio_server import FIRST_PORT, Account, LabelStudioServer

Say = Callable[[str], None]


def server(settings: Settings, say: Say) -> LabelStudioServer:
    """Return our Label Studio, installed but not started; a shared folder for images is what it may serve.

    Raises:
        LabelLoomError: it cannot be installed.
    """
    try:
        command = install(settings.label_studio_environment, say)
    except ServerError as error:
        raise LabelLoomError(str(error), fix=error.fix) from error
    shared, _ = both_paths(settings.storage) if settings.storage else (None, None)
    install_action(command)
    environment = action_environment(settings)
    return LabelStudioServer(command, settings.data_dir / "label-studio", document_root=shared, settings=environment)


@contextmanager
def running(settings: Settings, port: int, say: Say) -> Iterator[Account]:
    """Run our Label Studio while the context lasts; a port that is taken gives way to the next free one.

    Raises:
        LabelLoomError: it cannot be installed or started, or already runs on this data directory.
    """
    label_studio = server(settings, say)
    try:
        account = label_studio.start(say, port=_wanted(port))
    except ServerError as error:
        raise LabelLoomError(str(error), fix=error.fix) from error
    try:
        yield account
    finally:
        label_studio.stop()


def serve(settings: Settings, port: int, say: Say) -> None:
    """Run our Label Studio until Ctrl-C or SIGTERM, then stop all that was started.

    Raises:
        LabelLoomError: it cannot be started, or ended by itself.
    """
    # Both signals interrupt whatever goes on, be it an install, the start, or the wait.
    before = {n: signal.signal(n, _interrupt) for n in (signal.SIGINT, signal.SIGTERM)}
    label_studio: LabelStudioServer | None = None
    try:
        label_studio = server(settings, say)
        account = label_studio.start(say, port=_wanted(port))
        say(f"Label Studio  {account.url}")
        say(f"log in as     {account.username}")
        say(f"password      {account.password}")
        say(f"all of it is also in {label_studio.data_dir / 'server.json'}; Ctrl-C stops Label Studio")
        while label_studio.running():
            time.sleep(0.5)
        msg = f"Label Studio ended by itself; the log is {label_studio.log}"
        raise LabelLoomError(msg, fix="run the same command again: it comes back as it was")
    except KeyboardInterrupt:
        say("stopping Label Studio")
    except ServerError as error:
        raise LabelLoomError(str(error), fix=error.fix) from error
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut the stop short
        if label_studio is not None:
            label_studio.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def _wanted(port: int) -> int | None:
    """Return the port that was asked for, or None for the default, which gives way to the one used before."""
    return None if port == FIRST_PORT else port


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
