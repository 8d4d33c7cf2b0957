"""HTTP to the media proxy: one session, its token, time limits, repeated questions, and errors in Clipstream's words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import aiohttp
from yarl import URL

from clipstream.common.errors import ClipstreamError, Conflict, NotFound, Outage, Permanent, Rejected
from clipstream.common.store.proxy import wire

CONNECTIONS = 64  # at once to the proxy, as the S3 store has
ATTEMPTS = 3
_CONNECT_S = 5
_SILENCE_S = 60  # of an answer that has not ended
LONG_S = 600  # for many objects deleted, or many parts made one, in a single request
_PAUSE_S = (0.1, 0.5)
_BUFFER = 1 << 18
_AWAY = {502, 503, 504}
_TOLD = 16 << 10  # of an error's body
_FAULTS: dict[str, type[ClipstreamError]] = {
    error.__name__: error for error in (NotFound, Conflict, Permanent, Rejected)
}


class ProxyClient:
    """One per process: its session holds the connections. `base_url` is the proxy's, without /api."""

    def __init__(self, base_url: str, token: str) -> None:
        self._base = base_url.rstrip("/")
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_SILENCE_S),
            read_bufsize=_BUFFER,
            auto_decompress=False,
        )

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        path: str,
        what: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | AsyncIterator[bytes] | None = None,
        accept: int | None = None,
        repeat: bool = True,
        patience_s: float = _SILENCE_S,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A good answer to a request about `what`, its body not read yet; also a refusal of the proxy's own with the
        status `accept`. `path` is encoded, with its query. Only what may be sent twice is to be asked with `repeat`.
        Leaving before the end of the body closes the connection."""
        with translated(what):
            answer = await self._answer(method, path, headers or {}, data, patience_s, ATTEMPTS if repeat else 1)
            async with answer:
                if answer.status >= 300 and not (answer.status == accept and wire.FAULT in answer.headers):
                    raise await _refusal(answer, what)
                yield answer

    async def _answer(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        data: bytes | AsyncIterator[bytes] | None,
        patience_s: float,
        attempts: int,
    ) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=patience_s)
        url = URL(self._base + path, encoded=True)
        for pause in (*_PAUSE_S[: attempts - 1], None):
            try:
                answer = await self._session.request(
                    method, url, headers=headers, data=data, timeout=timeout, allow_redirects=False
                )
            except (aiohttp.ClientConnectionError, TimeoutError):
                if pause is None:
                    raise
            else:
                if pause is None or answer.status not in _AWAY:
                    return answer
                answer.close()
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt answers or raises")

    async def delete(self, path: str, what: str) -> bytes:
        """The answer to a deletion, which may take its time."""
        async with self.ask("DELETE", path, what, patience_s=LONG_S) as answer:
            return await answer.read()

    async def close(self) -> None:
        await self._session.close()


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Talk to the proxy about `what` (an object key, a prefix) and raise only Clipstream's errors."""
    try:
        yield
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise Outage(f"The media proxy did not answer about {what} ({type(error).__name__}: {error}).") from error
    except (KeyError, ValueError) as error:
        raise Outage(f"What answered about {what} is not the media proxy; check MEDIA_PROXY_URL.") from error


async def _refusal(answer: aiohttp.ClientResponse, what: str) -> ClipstreamError:
    fault = _FAULTS.get(answer.headers.get(wire.FAULT, ""))
    if fault is not None:
        return fault(await _reason(answer) or f"The media proxy refuses {what} ({fault.__name__}).")
    if answer.status in (401, 403):
        return Outage(f"The media proxy refuses our token for {what}; check MEDIA_PROXY_TOKEN.")
    if answer.status < 500 and wire.FAULT not in answer.headers:
        return Outage(f"What answered about {what} is not the media proxy ({answer.status}); check MEDIA_PROXY_URL.")
    return Outage(f"The media proxy cannot serve {what} at the moment ({answer.status}).")


async def _reason(answer: aiohttp.ClientResponse) -> str:
    """The sentence of an error's body; none for HEAD."""
    try:
        told = json.loads(await answer.content.read(_TOLD))
        return str(told["details"][0])
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
