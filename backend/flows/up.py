"""Runs a Label Studio of our own with the service beside it, and stops them again."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from backend.core.errors import LabelLoomError
from backend.flows.access import login_link
from backend.flows.connect import action_environment, announce, install_action
from backend.flows.image_stores import shared_folder
from backend.flows.service import PORT, Service
from backend.settings import Settings
from connectors.errors import ServerError
from connectors.label_studio_install import install
from connectors.label_studio_server import FIRST_PORT, Account, LabelStudioServer

Say = Callable[[str], None]
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def server(settings: Settings, say: Say) -> LabelStudioServer:
    """Return our Label Studio, installed but not started; a shared folder for images is what it may serve.

    Raises:
        LabelLoomError: it cannot be installed.
    """
    try:
        command = install(settings.label_studio_environment, say)
    except ServerError as error:
        raise LabelLoomError(str(error), fix=error.fix) from error
    shared = shared_folder(settings.storage)
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `up` starts. port: Label Studio's; web_port: ours; workers: how many, None is one per processor.

    label_studio: the address of one that runs elsewhere, so that none is started here. host: where the web server
    listens.
    """

    port: int = FIRST_PORT
    web_port: int = PORT
    workers: int | None = None
    label_studio: str | None = None
    host: str = "127.0.0.1"


def serve(settings: Settings, wanted: Wanted, say: Say) -> None:
    """Run Label Studio, web server and workers until Ctrl-C or SIGTERM, then stop all that was started.

    Raises:
        LabelLoomError: one of them cannot be started, or Label Studio ended by itself.
    """
    with _interruptible(), ExitStack() as started:
        try:
            label_studio: LabelStudioServer | None = None
            if wanted.label_studio is None:
                label_studio = _start_label_studio(settings, wanted.port, started, say)
            service = Service(settings, host=wanted.host, port=wanted.web_port, workers=wanted.workers, say=say)
            started.callback(service.stop)
            service.start()
            say_links(settings, service, say)
            while label_studio is None or label_studio.running():
                time.sleep(0.5)
                service.keep()
        except KeyboardInterrupt:
            say("stopping")
            return
        except ServerError as error:
            raise LabelLoomError(str(error), fix=error.fix) from error
        finally:
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not cut the stop short
        msg = f"Label Studio ended by itself; the log is {label_studio.log}"
        raise LabelLoomError(msg, fix="run the same command again: it comes back as it was")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have both signals interrupt whatever goes on, be it an install, the start, or the wait."""
    before = {number: signal.signal(number, _interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start_label_studio(settings: Settings, port: int, started: ExitStack, say: Say) -> LabelStudioServer:
    label_studio = server(settings, say)
    started.callback(label_studio.stop)
    account = label_studio.start(say, port=_wanted(port))
    say(f"Label Studio  {account.url}")
    say(f"log in as     {account.username}")
    say(f"password      {account.password}")
    say(f"all of it is also in {label_studio.data_dir / 'server.json'}")
    return label_studio


@contextmanager
def service_beside(settings: Settings, say: Say) -> Iterator[Service]:
    """Run web server and workers while the context lasts, and tell where they are."""
    service = Service(settings, say=say)
    try:
        service.start()
        say_links(settings, service, say)
        yield service
    finally:
        service.stop()


def say_links(settings: Settings, service: Service, say: Say) -> None:
    """Tell where the service is, with a link that logs one browser in."""
    announce(settings, service.url)
    link = login_link(settings.model_copy(update={"base_url": service.url}), "the one who started it")
    say(f"LabelLoom     {service.url}")
    say(f"log in with   {link}  (once, within 15 minutes; `labelloom login` makes another)")
    say(f"logs          {settings.logs_dir}; Ctrl-C stops all")


def _wanted(port: int) -> int | None:
    """Return the port that was asked for, or None for the default, which gives way to the one used before."""
    return None if port == FIRST_PORT else port


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
