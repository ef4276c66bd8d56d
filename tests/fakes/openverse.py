"""Openverse's API on loopback: page sizes, depth, licence filter, tokens, throttling."""

import math

from tests.fakes.api_server import Answer, ApiServer, Asked

CLIENT, SECRET, TOKEN = "ov-client", "ov-secret-1a2b3c4d", "ov-token-5e6f7a8b"
LICENSES = (("by", "4.0"), ("by-sa", "2.0"), ("cc0", "1.0"), ("by-nc-nd", "2.0"), ("pdm", "1.0"))
KNOWN = {"by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd", "cc0", "pdm", "sampling+", "nc-sampling+"}


class Openverse(ApiServer):
    """results: how many it has. clamps: cut too large pages down instead of refusing them. token: the valid one."""

    def __init__(self, *, results: int = 600, largest: int = 20, clamps: bool = False) -> None:
        super().__init__()
        self.results, self.largest, self.clamps, self.token = results, largest, clamps, TOKEN

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/v1/auth_tokens/token/":
            return self._give_token(asked)
        if asked.path != "/v1/images/":
            return Answer(404, {"detail": "Not found."})
        login = asked.headers.get("authorization")
        if login is not None and login != f"Bearer {self.token}":
            return Answer(401, {"detail": "Authentication credentials were not provided."})
        return self._search(asked, registered=login is not None)

    def _give_token(self, asked: Asked) -> Answer:
        form = asked.form
        good = form.get("grant_type") == "client_credentials" and form.get("client_id") == CLIENT
        if asked.method != "POST" or not good or form.get("client_secret") != SECRET:
            return Answer(401, {"error": "invalid_client", "seen": form.get("client_secret")})
        body = {"access_token": self.token, "expires_in": 36000, "token_type": "Bearer", "scope": "read write"}
        return Answer(200, body)

    def _search(self, asked: Asked, *, registered: bool) -> Answer:
        largest, depth = (50, 1000) if registered else (self.largest, 240)
        size, page = int(asked.query.get("page_size", 20)), int(asked.query.get("page", 1))
        if size > largest and not self.clamps:
            return Answer(401, {"detail": f"Ensure this value is less than or equal to {largest}."})
        size = min(size, largest)
        wanted = asked.query.get("license", "")
        unknown = [code for code in wanted.split(",") if code and code not in KNOWN]
        if unknown:
            return Answer(400, {"detail": {"license": [f"License '{unknown[0]}' does not exist."]}})
        found = [one for one in map(image, range(self.results)) if not wanted or one["license"] in wanted.split(",")]
        pages = min(math.ceil(len(found) / size), depth // size)
        if page > max(pages, 1):
            return Answer(404, {"detail": "Invalid page."})
        results = found[(page - 1) * size : page * size]
        body = {"result_count": len(found), "page_count": pages, "page_size": size, "page": page, "results": results}
        return Answer(200, body)


def image(n: int) -> dict[str, object]:
    """Return the n-th image, counted from 0."""
    code, version = LICENSES[n % len(LICENSES)]
    group = {"cc0": "publicdomain/zero", "pdm": "publicdomain/mark"}.get(code, f"licenses/{code}")
    url = f"https://creativecommons.org/{group}/{version}/"
    name = {"cc0": "CC0", "pdm": "Public Domain Mark"}.get(code, f"CC {code.upper()}")
    return {
        "id": f"36537842-b067-4ca0-ad67-{n:012}",
        "title": f"골든 Retriever {n}",
        "foreign_landing_url": f"https://www.flickr.com/photos/1/{n}",
        "url": f"https://live.staticflickr.com/4016/{n}_b.jpg",
        "creator": "Jane Sample",
        "creator_url": "https://www.flickr.com/photos/1",
        "license": code,
        "license_version": version,
        "license_url": url,
        "provider": "flickr",
        "source": "flickr",
        "filetype": "jpg",
        "attribution": f'"골든 Retriever {n}" by Jane Sample is licensed under {name} {version}.',
        "mature": False,
        "height": 683 if n % 2 else None,
        "width": 1024 if n % 2 else None,
        "thumbnail": f"https://api.openverse.org/v1/images/{n}/thumb/",
        "detail_url": f"https://api.openverse.org/v1/images/{n}/",
    }
