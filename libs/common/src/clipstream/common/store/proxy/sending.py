"""A body on its way to the media proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from clipstream.common.errors import Outage

_PATIENCE_S = 60.0  # until a piece is taken
_ANSWER_S = 300.0  # until the proxy has stored what it took: an S3 server behind it may need a while for many parts


class Sending:
    """Watches the body of the object `what` while the HTTP client takes it. Inside the `with` block a proxy that stands
    still is an `Outage`, however slow the body itself is, and an error which the body raised is raised on: the client
    knows only that sending failed, and closes the connection before its proper end, so that nothing is stored."""

    def __init__(self, what: str, body: AsyncIterator[bytes]) -> None:
        self._what = what
        self._body = body
        self._raised: Exception | None = None
        self._patience = asyncio.timeout(None)
        self._over = False

    async def pieces(self) -> AsyncIterator[bytes]:
        self._wait(None)
        try:
            async for piece in self._body:
                self._wait(_PATIENCE_S)
                yield piece
                self._wait(None)
        except Exception as error:
            self._raised = error
            raise
        self._wait(_ANSWER_S)

    def _wait(self, seconds: float | None) -> None:
        if not (self._over or self._patience.expired()):
            now = asyncio.get_running_loop().time()
            self._patience.reschedule(None if seconds is None else now + seconds)

    async def __aenter__(self) -> Self:
        await self._patience.__aenter__()
        self._wait(_PATIENCE_S)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._over = True
        try:
            await self._patience.__aexit__(kind, error, trace)
        except TimeoutError as stopped:
            raise Outage(f"The media proxy stands still in the middle of {self._what}.") from stopped
        finally:
            if self._raised is not None and error is not None and not isinstance(error, asyncio.CancelledError):
                raise self._raised
        return None
