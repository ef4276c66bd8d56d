"""Headless Chromium for one site: it reaches the hosts it is sent to and nothing else, and says what it is."""

import contextlib
import ipaddress
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.errors import ConnectorError
from connectors.sources.base import SourceFault

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

Resolver = Callable[[str, int], list[str]]

_WAIT = 30  # seconds for one page
_LONGEST = 8_000_000  # characters of one answer
_FLAGS = (
    "--headless=new",
    "--disable-background-networking",
    "--disable-dev-shm-usage",  # containers give it 64 MB
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",  # a proxy would look names up itself, past the rules below
    "--blink-settings=imagesEnabled=false",  # the addresses are wanted, and the site is spared the rest
)
_PAGE = """
const entry = performance.getEntriesByType('navigation')[0], data = window[arguments[0]];
let text = null;
try { text = data === undefined ? null : JSON.stringify(data); } catch (error) { text = null; }
return {status: entry ? entry.responseStatus : 0, html: document.documentElement.outerHTML, data: text,
        url: location.href};
"""
_ASK = """
const [url, longest, done] = arguments;
fetch(url, {redirect: 'manual', cache: 'no-store'}).then(answer => {
  if (answer.type === 'opaqueredirect') { done({moved: true}); return; }
  return answer.text().then(text => done({status: answer.status, text: text.slice(0, longest)}));
}).catch(error => done({error: String(error)}));
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A page as the browser had it. status: of HTTP. data: the page's own data object as JSON, where it has one."""

    status: int
    url: str
    html: str
    data: str | None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer to a request of the page. moved: it was a redirect, which was not followed."""

    status: int
    text: str
    moved: bool = False


def programs() -> tuple[str | None, str | None]:
    """Return where Chromium and its driver lie, None for what is not installed."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None), shutil.which("chromedriver")


def resolver_rules(hosts: Sequence[str], stand_in: str | None, resolver: Resolver) -> str:
    """Return Chromium's host rules: the hosts lead to addresses that were checked, every other name to nowhere.

    Args:
        hosts: that may be reached.
        stand_in: address of a server that takes the place of all of them.
        resolver: looks a name up.

    Raises:
        SourceFault: a host is not known, or has a private address.
    """
    if stand_in:
        place = urlsplit(stand_in)
        port = place.port or 80
        maps = [f"MAP {host}:80 {place.hostname}:{port}" for host in hosts]
    else:
        maps = [f"MAP {host}:443 {_public(host, resolver)}:443" for host in hosts]
    return ",".join([*maps, "MAP * ~NOTFOUND"])


@contextlib.contextmanager
def chromium(rules: str) -> Iterator["Chrome"]:
    """Run a browser with a profile of its own, which is gone afterwards.

    Raises:
        SourceFault: it does not start.
    """
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver import Chrome

    with tempfile.TemporaryDirectory(prefix="labelloom-browser-", ignore_cleanup_errors=True) as profile:
        options, service = _setup(rules, profile)
        try:
            driver = Chrome(options=options, service=service)
        except (WebDriverException, OSError) as error:
            msg = f"Chromium does not start: {_first_line(error)}"
            raise SourceFault(kind="upstream", message=msg, fix="Run: labelloom doctor --sources") from error
        try:
            driver.set_page_load_timeout(_WAIT)
            driver.set_script_timeout(_WAIT)
            yield driver
        finally:
            with contextlib.suppress(Exception):  # it may be dead already; the driver's own process ends either way
                driver.quit()
            service.stop()


def visit(driver: "Chrome", url: str, data_name: str) -> Seen:
    """Open a page.

    Raises:
        SourceFault: it cannot be reached.
    """
    from selenium.common.exceptions import TimeoutException, WebDriverException

    try:
        driver.get(url)
        found: dict[str, Any] = driver.execute_script(_PAGE, data_name)
    except TimeoutException as error:
        raise _unreached(url, f"no answer within {_WAIT} s") from error
    except WebDriverException as error:
        return _led_away(driver, url, error)
    return Seen(int(found["status"] or 0), found["url"], found["html"], found["data"])


def ask(driver: "Chrome", url: str) -> Answered:
    """Ask for data from within the open page, as its own script does.

    Raises:
        SourceFault: no answer.
    """
    from selenium.common.exceptions import WebDriverException

    try:
        found: dict[str, Any] = driver.execute_async_script(_ASK, url, _LONGEST)
    except WebDriverException as error:
        raise _unreached(url, _first_line(error)) from error
    if "error" in found:
        raise _unreached(url, found["error"])
    return Answered(found.get("status", 0), found.get("text", ""), bool(found.get("moved")))


def _setup(rules: str, profile: str) -> tuple[Any, Any]:
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    browser, driver = programs()
    options = Options()
    options.binary_location = browser or ""
    options.page_load_strategy = "eager"  # the data is in the page; what else it loads is not waited for
    options._ignore_local_proxy = True  # the driver is on this machine
    for flag in (*_FLAGS, f"--host-resolver-rules={rules}", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses to sandbox for root
    # A given path is what keeps Selenium from looking for a driver to download.
    return options, Service(executable_path=driver)


def _led_away(driver: "Chrome", url: str, error: Exception) -> Seen:
    """Return where a redirect to an unreachable host led to; its name is all that is known of it."""
    with contextlib.suppress(Exception):
        at = driver.current_url
        if urlsplit(at).hostname not in {None, "", urlsplit(url).hostname}:
            return Seen(0, at, "", None)
    raise _unreached(url, _first_line(error)) from error


def _public(host: str, resolver: Resolver) -> str:
    try:
        addresses = resolver(host, 443)
    except ConnectorError as error:
        raise SourceFault(kind="network", message=str(error), fix=error.fix) from error
    for address in addresses:
        if not ipaddress.ip_address(address.split("%")[0]).is_global:
            msg = f"{host} has the private address {address}"
            raise SourceFault(kind="network", message=msg, fix="Check the name service of this network.")
    first = min(addresses, key=lambda address: ":" in address)
    return f"[{first}]" if ":" in first else first


def _unreached(url: str, why: str) -> SourceFault:
    return SourceFault("network", f"{urlsplit(url).hostname}: {why}", fix="Check the network, and try again later.")


def _first_line(error: Exception) -> str:
    text = getattr(error, "msg", None) or str(error) or type(error).__name__
    return str(text).strip().splitlines()[0][:300]
