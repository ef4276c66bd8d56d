"""Naver's image search API on loopback: both gateways, their keys, their rules for parameters, quotas and faults.

The real legacy gateway speaks https only; `https_only` answers as it does to plain http.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from xml.sax.saxutils import escape

from tests.fakes.api_server import Answer, ApiServer, Asked

KST = timezone(timedelta(hours=9))
KEY, SECRET = "test-client-id", "test-client-secret-9f8e7d"
SEARCH = {
    "SE01": (400, "Incorrect query request (잘못된 쿼리요청입니다.)"),
    "SE02": (400, "Invalid display value (부적절한 display 값입니다.)"),
    "SE03": (400, "Invalid start value (부적절한 start 값입니다.)"),
    "SE04": (400, "Invalid sort value (부적절한 sort 값입니다.)"),
    "SE05": (404, "Invalid search api (존재하지 않는 검색 api 입니다.)"),
    "SE06": (400, "Malformed encoding (잘못된 형식의 인코딩입니다.)"),
    "SE99": (500, "System Error (시스템 에러)"),
    "024": (401, "Not Exist Client ID : Authentication failed. (인증에 실패했습니다.)"),
    "051": (404, "API does not exist. (존재하지 않는 API입니다.)"),
    "072": (403, "HTTPS only allowed : Unsupported protocol (지원하지 않는 프로토콜입니다.)"),
    "012": (429, "Rate limit exceeded. (속도 제한을 초과했습니다.)"),
    "010": (429, "{count/quota=25001/25000} : Query limit exceeded. (쿼리 한도를 초과했습니다.)"),
}
HUB = {
    "100": (400, "Bad Request Exception", None),
    "200": (401, "Authentication Failed", "Invalid authentication information."),
    "210": (401, "Permission Denied", "A subscription to the API is required."),
    "300": (404, "Not Found Exception", "URL not found."),
    "400": (429, "Quota Exceeded", "Quota exceeded"),
    "410": (429, "Throttle Limited", None),
    "420": (429, "Rate Limited", None),
    "430": (413, "Request Entity Too Large", None),
    "500": (503, "Endpoint Error", None),
    "510": (504, "Endpoint Timeout", None),
}
HEADERS = {
    "/search/v1/image": ("x-ncp-apigw-api-key-id", "x-ncp-apigw-api-key"),
    "/v1/search/image": ("x-naver-client-id", "x-naver-client-secret"),
    "/v1/search/image.xml": ("x-naver-client-id", "x-naver-client-secret"),
}
TITLES = (
    "[강아지] 우리집 <b>골든리트리버</b> &quot;보리&quot; 산책 &amp; 간식",
    "<b>골든</b>&#39;s 하루 &lt;2편&gt;",
    "",
)
LINKS = (
    "http://blogfiles.naver.net/MjAy/f-sFZ.PNG.sample_user/%B0%AD%BE%C6%C1%F6_%281%29_{n}.png",
    "https://i.example.org/originals/{n}.jpg",
    "http://cdn.example.com/a b/%EC%9D%B4%EB%AF%B8%EC%A7%80_{n}.jpg?x=1&y=2",
    "http://openapi.naver.com/l?AAAA{n}",
)


def fault(code: str) -> Answer:
    """Return a fault as the search service and the older gateway write it."""
    status, message = SEARCH[code]
    return Answer(status, {"errorMessage": message, "errorCode": code})


def hub_fault(code: str) -> Answer:
    """Return a fault as NAVER API HUB writes it."""
    status, message, details = HUB[code]
    return Answer(status, {"error": {"errorCode": code, "message": message, "details": details}})


class NaverApi(ApiServer):
    """Both gateways. results: how many positions there are; total: what it says there are. clock: for the quota."""

    def __init__(self, *, results: int = 5000, total: int = 1_543_287, per_day: int = 25_000) -> None:
        super().__init__()
        self.results, self.total, self.per_day = results, total, per_day
        self.per_second: int | None = None
        self.https_only = False
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._counted: dict[object, int] = {}

    def answer(self, asked: Asked) -> Answer:
        hub = asked.path == "/search/v1/image"
        if asked.path not in HEADERS:
            return fault("SE05") if asked.path.startswith("/v1/search/") else hub_fault("300")
        if self.https_only:
            return fault("072")
        id_header, secret_header = HEADERS[asked.path]
        if (asked.headers.get(id_header), asked.headers.get(secret_header)) != (KEY, SECRET):
            return hub_fault("200") if hub else fault("024")
        return self._over(hub=hub) or _invalid(asked) or self._page(asked)

    def _over(self, *, hub: bool) -> Answer | None:
        moment = self.clock()
        day, second = moment.astimezone(KST).date(), moment.replace(microsecond=0)
        self._counted[second] = self._counted.get(second, 0) + 1
        if self.per_second is not None and self._counted[second] > self.per_second:
            return hub_fault("420") if hub else fault("012")
        self._counted[day] = self._counted.get(day, 0) + 1
        if self._counted[day] > self.per_day:
            return hub_fault("400") if hub else fault("010")
        return None

    def _page(self, asked: Asked) -> Answer:
        start, display = int(asked.query.get("start", 1)), int(asked.query.get("display", 10))
        last = min(start + display - 1, self.results)
        items = [item(n) for n in range(start, last + 1)]
        total = min(self.total, self.results) if self.results < 1000 else self.total
        body = {
            "lastBuildDate": "Mon, 23 Nov 2026 19:12:21 +0900",
            "total": total,
            "start": start,
            "display": len(items),
            "items": items,
        }
        if asked.path.endswith(".xml") or asked.query.get("format") == "xml":
            return Answer(200, _xml(body), {"Content-Type": "text/xml; charset=UTF-8"})
        text = json.dumps(body, ensure_ascii=False, indent="\t").replace("/", "\\/")
        return Answer(200, text.encode())


def item(n: int) -> dict[str, str]:
    """Return the result at a position, counted from 1."""
    link = LINKS[(n - 1) % len(LINKS)].format(n=n)
    return {
        "title": TITLES[(n - 1) % len(TITLES)],
        "link": link,
        "thumbnail": f"https://search.pstatic.net/common/?src={link}&type=b150",
        "sizeheight": "1080" if n % 3 else "0",
        "sizewidth": "810" if n % 3 else "0",
    }


def _invalid(asked: Asked) -> Answer | None:
    query = asked.query
    rules = (
        ("SE01", bool(query.get("query"))),
        ("SE02", query.get("display", "10").isdigit() and 1 <= int(query.get("display", "10")) <= 100),
        ("SE03", query.get("start", "1").isdigit() and 1 <= int(query.get("start", "1")) <= 1000),
        ("SE04", query.get("sort", "sim") in {"sim", "date"}),
    )
    return next((fault(code) for code, good in rules if not good), None)


def _xml(body: dict[str, Any]) -> bytes:
    items = "".join(
        "<item>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in one.items()) + "</item>"
        for one in body["items"]
    )
    head = "".join(f"<{name}>{body[name]}</{name}>" for name in ("lastBuildDate", "total", "start", "display"))
    return f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel>{head}{items}</channel></rss>'.encode()
