"""Brings images and pages from the public web: guarded, polite, bounded, and with a reason for whatever is lost.

The values below are light. `connectors.fetching.fetch.Fetcher` (many images, asyncio) and
`connectors.fetching.sync.get` (one page) load aiohttp: import them where they are used.
"""

from connectors.fetching.options import FetchOptions
from connectors.fetching.reasons import REASONS, sentence
from connectors.fetching.values import Answer, BadContent, Got, Lost, OptOut, Request

__all__ = ["REASONS", "Answer", "BadContent", "FetchOptions", "Got", "Lost", "OptOut", "Request", "sentence"]
