"""Bytes of a file to a presigned address, until they are there. Every try has an address of its own: addresses expire."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from yarl import URL

from clipstream.client.errors import ApiError, Unreachable
from clipstream.client.files import LocalFile
from clipstream.client.models import FreshUpload, PartRequest, Upload
from clipstream.client.patience import Patience
from clipstream.client.transport import refused

STALLED_S = 120.0
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=STALLED_S)
_ENDED = frozenset((404, 409, 412))
_S3_WORDS = re.compile(r"<Message>([^<]{1,500})</Message>")

OnProgress = Callable[[int, int], None]  # bytes that have arrived, of how many
Address = Upload | FreshUpload | PartRequest


class Ended(Exception):
    """The store does not take this any more: it has the whole file, or has given the upload up."""


@dataclass(slots=True)
class Progress:
    """Counts what has arrived; a try that fails is taken back."""

    total: int
    tell: OnProgress | None
    arrived: int = 0

    def add(self, count: int) -> None:
        self.arrived += count
        if self.tell is not None and count:
            self.tell(self.arrived, self.total)


@dataclass(slots=True)
class Delivery:
    """Sends pieces of one file. `session` has no login: the address says all."""

    session: aiohttp.ClientSession
    patience: Patience
    file: LocalFile
    progress: Progress

    async def put(self, address: Callable[[], Awaitable[Address]], offset: int, length: int) -> None:
        """Raises `Ended`, `FileChanged`, or what the last try failed with."""
        tried = 0
        while True:
            tried += 1
            await self.file.require_unchanged()
            failed = await self._try(await address(), offset, length)
            if failed is None:
                return
            if not self.patience.allows(tried):
                raise failed
            await self.patience.pause(tried)

    async def _try(self, address: Address, offset: int, length: int) -> ApiError | Unreachable | None:
        """Why it failed; None where the bytes have arrived. Nothing that moves for a while has failed, too."""
        failed: ApiError | Unreachable | None = None
        sent = 0
        try:
            async with asyncio.timeout(STALLED_S) as deadline:

                async def body() -> AsyncIterator[bytes]:
                    nonlocal sent
                    async for chunk in self.file.chunks(offset, length):
                        yield chunk
                        sent += len(chunk)
                        self.progress.add(len(chunk))
                        with suppress(RuntimeError):  # the answer came before the end of the body
                            deadline.reschedule(asyncio.get_running_loop().time() + STALLED_S)

                async with self.session.request(
                    address.method,
                    URL(address.url, encoded=True),
                    headers=address.headers,
                    data=body(),
                    timeout=TIMEOUT,
                ) as response:
                    failed = await _judge(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = str(error) or "it took too long"
            failed = Unreachable(f"The file could not be sent to {URL(address.url).host} ({reason}).")
        except BaseException:
            self.progress.add(-sent)
            raise
        if failed is not None:
            self.progress.add(-sent)
        return failed


async def _judge(response: aiohttp.ClientResponse) -> ApiError | None:
    if response.ok:
        return None
    if response.status in _ENDED:
        raise Ended
    error = await refused(response)
    if not error.body and (words := _S3_WORDS.search(await response.text(errors="replace"))):
        return ApiError(response.status, words[1])
    return error
