"""Why an image was not kept: one closed table of codes, each with a plain sentence."""

REASONS: dict[str, str] = {
    "bad-url": "The address is not one that can be fetched (http or https, an ordinary port, no user name in it).",
    "dns": "The host's name is not known.",
    "connection": "The host could not be reached.",
    "tls": "The host's certificate is not valid.",
    "private-address": "The address leads into a private network; --allow-host lets one host pass.",
    "timeout": "It did not arrive within the time allowed.",
    "too-slow": "It came so slowly that it was given up.",
    "too-large": "It is larger than allowed.",
    "cut": "The connection broke before all of it had come.",
    "encoding": "It came compressed in a way that was not asked for.",
    "redirects": "It was redirected too often, in a circle, or from https to http.",
    "robots": "The site's robots.txt does not allow it.",
    "opt-out": "Its owner reserves it from machine use.",
    "host-refuses": "The host refused so many requests in a row that it was left alone.",
    "not-an-image": "What came is not an image.",
    "truncated": "The image ends too early.",
    "damaged": "The image is damaged.",
    "too-many-pixels": "The image has more pixels than allowed.",
    "too-small": "The image is smaller than asked for.",
    "unreadable": "The image could not be read.",
    "duplicate": "The same image was kept before.",
    "near-duplicate": "A nearly equal image was kept before.",
    "licence": "Its licence is not among those asked for.",
    "known": "The project has this image already.",
    "rejected-before": "It was rejected by hand before.",
}

_PASSING = frozenset(
    (
        "private-address",
        "dns",
        "connection",
        "timeout",
        "too-slow",
        "cut",
        "host-refuses",
        "http-408",
        "http-425",
        "http-429",
    )
)


def passing(code: str) -> bool:
    """Return whether the same address may well be had another time: the network or its host had a bad moment."""
    return code in _PASSING or code.startswith("http-5")


def sentence(code: str) -> str:
    """Return a reason in plain words; `http-<status>` codes have no line of their own.

    Raises:
        KeyError: there is no such reason.
    """
    kind, _, status = code.partition("http-")
    if not kind and status.isdigit():
        return f"The host answered with HTTP status {status}."
    return REASONS[code]
