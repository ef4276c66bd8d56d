"""One page, from ordinary code."""

from connectors.fetching.options import FetchOptions
from connectors.fetching.values import Answer


def get(url: str, options: FetchOptions) -> Answer:
    """Return one page or file, fetched with the same guard, limits and robots check as an image.

    Blocks; has an event loop of its own. An answer that is not 2xx raises as well.

    Raises:
        FetchError: refused, absent, too large, or too slow; `status` holds the HTTP status where there was one.
    """
    import asyncio

    from connectors.fetching.fetch import page

    return asyncio.run(page(url, options))
