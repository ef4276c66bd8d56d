"""The bytes of a task's image, from wherever Label Studio keeps it."""

import base64
import binascii
import time
from collections.abc import Collection
from urllib.parse import quote, unquote_to_bytes

import httpx

from connectors import label_studio_errors
from connectors.errors import ConnectorError, FetchError, ServerFailed, Unreachable
from connectors.http import DEADLINE, LIMIT, PublicFetcher, read_all
from connectors.label_studio import LabelStudio
from connectors.retries import retry_context

_CLOUD = ("s3://", "gs://", "azure-blob://", "azure_spi://", "redis://")


class Images:
    """Fetches task images, safe to share between threads.

    What Label Studio serves itself (uploads, local files) is asked of it with our token. Cloud addresses go through
    its resolver, which signs them. Other hosts get no token, and must be public unless allowed.

    Args:
        client: the connection.
        allow_hosts: hosts with private addresses that images may be fetched from.
        limit: bytes of one image. deadline: seconds for one image.
    """

    def __init__(
        self,
        client: LabelStudio,
        *,
        allow_hosts: Collection[str] = (),
        limit: int = LIMIT,
        deadline: float = DEADLINE,
    ) -> None:
        self._client = client
        self._limit = limit
        self._deadline = deadline
        self._public = PublicFetcher(allow_hosts=allow_hosts, limit=limit, deadline=deadline)

    def fetch(self, url: str, task: int) -> bytes:
        """Return the bytes of an image as the task's data names it.

        Raises:
            FetchError: this image cannot be had; the reason says why.
            Unreachable, Unauthorized: Label Studio itself is gone or shut; no other image can be had either.
        """
        if not isinstance(url, str) or not url.strip():
            msg = "the task names no image"
            raise FetchError(msg)
        url = url.strip()
        if url.startswith("data:"):
            return self._inline(url)
        if url.startswith(_CLOUD):
            encoded = base64.b64encode(url.encode()).decode()
            return self._from_label_studio(f"{self._client.url}/tasks/{task}/presign/?fileuri={quote(encoded)}", url)
        own = self._own_address(url)
        if own:
            return self._from_label_studio(own, url)
        return self._public.fetch(url)

    def _own_address(self, url: str) -> str | None:
        """Return the address on Label Studio itself, or None for another host's."""
        base = self._client.base
        if url.startswith("upload/"):
            url = f"/data/{url}"
        if url.startswith("/") and not url.startswith("//"):
            prefix = base.path.rstrip("/")
            path = url if prefix and url.startswith(f"{prefix}/") else prefix + url
            return f"{base.scheme}://{base.netloc.decode()}{path}"
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            return None
        same = (parsed.scheme, parsed.host, parsed.port) == (base.scheme, base.host, base.port)
        return url if same else None

    def _from_label_studio(self, address: str, shown: str) -> bytes:
        until = time.monotonic() + self._deadline
        retries = retry_context(on=(Unreachable, ServerFailed), attempts=4, wait_initial=0.2, timeout=self._deadline)
        try:
            for attempt in retries:
                with attempt:
                    answer = self._once(address, until)
        except (Unreachable, FetchError):
            raise
        except ConnectorError as error:
            if error.status == 401:
                raise
            gone = "has_permission" in str(error)  # how Label Studio fails on an upload whose project was deleted
            msg = f"{shown[:200]}: {'Label Studio no longer has this file' if gone else error}"
            raise FetchError(msg, status=error.status) from error
        # A signed address comes from a storage the admin has set up, private or not.
        return answer if isinstance(answer, bytes) else self._public.fetch(str(answer), trusted=True)

    def _once(self, address: str, until: float) -> bytes | httpx.URL:
        """Return the body, or the address Label Studio sends us on to."""
        with (
            label_studio_errors.translated(self._client.url),
            self._client.http.stream("GET", address, follow_redirects=False) as response,
        ):
            if response.has_redirect_location:
                target = response.url.join(response.headers["location"])
                if "/user/login" in target.path:
                    msg = "Label Studio asks for a login: the token may not see this file"
                    raise FetchError(msg)
                return target
            label_studio_errors.raise_for(response, self._client.url)
            return read_all(response, self._limit, until)

    def _inline(self, url: str) -> bytes:
        head, _, body = url.partition(",")
        try:
            data = base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote_to_bytes(body)
        except binascii.Error as error:
            msg = "the image inside the task is not valid base64"
            raise FetchError(msg) from error
        if len(data) > self._limit:
            msg = f"more than the limit of {self._limit:,} bytes"
            raise FetchError(msg)
        return data
