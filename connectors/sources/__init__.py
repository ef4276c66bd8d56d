"""Where images come from: one file per source, and one line in the table below.

Knows nothing of `backend`. A source yields what it offers and fetches no image; importing one loads nothing heavy.
"""

from connectors.sources import naver_api, naver_web, openverse, wikimedia
from connectors.sources.base import Source

SOURCES: dict[str, Source] = {
    "naver": naver_api.SOURCE,
    "naver-web": naver_web.NAVER_WEB,
    "openverse": openverse.SOURCE,
    "wikimedia": wikimedia.SOURCE,
}
