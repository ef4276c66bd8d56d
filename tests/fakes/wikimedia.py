"""The API of Wikimedia Commons on loopback: User-Agent, continuation as it is given, errors with HTTP 200."""

import re

from tests.fakes.api_server import Answer, ApiServer, Asked

WIDTHS = frozenset({20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840})
LONGEST = 300
LICENSES = (
    ("CC BY-SA 4.0", "cc-by-sa-4.0", "https://creativecommons.org/licenses/by-sa/4.0"),
    ("CC BY-SA 3.0 de", "cc-by-sa-3.0-de", "https://creativecommons.org/licenses/by-sa/3.0/de/deed.en"),
    ("CC0", "cc0", "http://creativecommons.org/publicdomain/zero/1.0/deed.en"),
    ("Public domain", "pd", None),
    ("Custom terms", "custom", None),
)


def failed(code: str, info: str, headers: dict[str, str] | None = None) -> Answer:
    """Return an error as MediaWiki writes it."""
    return Answer(200, {"error": {"code": code, "info": info}}, {"MediaWiki-API-Error": code, **(headers or {})})


class Wikimedia(ApiServer):
    """results: how many files there are. in_parts: whether a batch's metadata comes in two answers."""

    def __init__(self, *, results: int = 120, in_parts: bool = False) -> None:
        super().__init__()
        self.results, self.in_parts = results, in_parts

    def answer(self, asked: Asked) -> Answer:
        agent = asked.headers.get("user-agent", "")
        if not re.search(r"\(.*(@|://).*\)", agent) or agent.startswith("python-"):
            return Answer(403, b"Please set a user-agent and respect our robot policy")
        query = asked.query
        if asked.path != "/w/api.php" or query.get("action") != "query" or query.get("formatversion") != "2":
            return failed("badvalue", "Unrecognized value")
        words = query.get("gsrsearch", "").removeprefix("filetype:bitmap").strip()
        if not words:
            return failed("missingparam", 'The "gsrsearch" parameter must be set.')
        if len(words) > LONGEST:
            info = f"Search request is longer than the maximum allowed length. ({len(words)} > {LONGEST})"
            return failed("cirrussearch-query-too-long", info)
        if int(query["iiurlwidth"]) not in WIDTHS or int(query["gsrlimit"]) > 50:
            return failed("badvalue", "Use thumbnail sizes listed")
        return Answer(200, self._batch(query))

    def _batch(self, query: dict[str, str]) -> dict[str, object]:
        offset, limit = int(query.get("gsroffset", 0)), int(query["gsrlimit"])
        numbers = range(offset, min(offset + limit, self.results))
        if not numbers:
            return {"batchcomplete": True}
        # MediaWiki sorts pages by id, not by place; and a long answer fills the second half in later.
        pages = [page(n) for n in reversed(numbers)]
        half = len(pages) // 2
        second = "iicontinue" in query
        if self.in_parts:
            blank = pages[:half] if second else pages[half:]
            for one in blank:
                one.pop("imageinfo")
        body: dict[str, object] = {"query": {"pages": pages}}
        if self.in_parts and not second:
            more: dict[str, object] = {"iicontinue": f"File:{half}|2019", "continue": "gsroffset||"}
            if offset:
                more["gsroffset"] = offset
            return body | {"continue": more}
        body["batchcomplete"] = True
        if numbers[-1] + 1 < self.results:
            body["continue"] = {"gsroffset": numbers[-1] + 1, "continue": "gsroffset||"}
        return body


def page(n: int) -> dict[str, object]:
    """Return the n-th file, counted from 0."""
    shown, code, url = LICENSES[n % len(LICENSES)]
    base = "https://upload.wikimedia.org/wikipedia/commons"
    wide = n % 4 != 3
    about = {
        "Artist": {"value": '<a href="//commons.wikimedia.org/wiki/User:S">Kim &amp; Söhne</a>'},
        "Credit": {"value": '<span class="int-own-work">Own work</span>'},
        "LicenseShortName": {"value": shown},
        "License": {"value": code},
        "AttributionRequired": {"value": "true"},
        "Restrictions": {"value": "personality|trademarked" if n == 0 else ""},
    }
    if url:
        about["LicenseUrl"] = {"value": url}
    name = f"고양이_{n}.jpg"
    info = {
        "size": 2481133,
        "width": 3000 if wide else 400,
        "height": 2000 if wide else 300,
        "thumburl": f"{base}/thumb/a/ab/{name}/1280px-{name}" if wide else f"{base}/a/ab/{name}",
        "url": f"{base}/a/ab/{name}",
        "descriptionurl": f"https://commons.wikimedia.org/wiki/File:{name}",
        "sha1": f"{n:040x}",
        "mime": "image/jpeg",
        "extmetadata": about,
    }
    return {"pageid": 90000 - n, "ns": 6, "title": f"File:고양이 {n}.jpg", "index": n + 1, "imageinfo": [info]}
