"""Where images come from: one file per source, and one line in the table below.

Knows nothing of `backend`. A source yields what it offers and fetches no image; importing one loads nothing heavy.
"""

from connectors.sources import folder, naver_api, naver_web, openverse, urls, webpage, wikimedia
from connectors.sources.base import Source

SOURCES: dict[str, Source] = {
    "naver": naver_api.SOURCE,
    "naver-web": naver_web.SOURCE,
    "openverse": openverse.SOURCE,
    "wikimedia": wikimedia.SOURCE,
    "webpage": webpage.SOURCE,
    "urls": urls.SOURCE,
    "folder": folder.SOURCE,
}
