"""Shares: a video opened to whoever has the address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote
from uuid import UUID

from clipstream.client.models import NewShare, Share, ShareItem, ShareList
from clipstream.client.paging import pages
from clipstream.client.transport import Transport


class Shares:
    """Those that the caller may see and revoke."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self, video_id: UUID, *, expires_in_s: int | None = None, password: str | None = None, start_s: float = 0.0
    ) -> Share:
        """For ever where no expiry is said. `start_s`: where the clip begins to play."""
        body = NewShare(expires_in=expires_in_s, password=password, start_time=start_s)
        return await self._transport.ask(Share, "POST", f"/videos/{video_id}/share", body=body, creates=True)

    async def revoke(self, code: str) -> None:
        await self._transport.send("DELETE", f"/shares/{quote(code, safe='')}")

    def list(self, video_id: UUID) -> AsyncIterator[ShareItem]:
        return pages(self._transport, ShareList, lambda page: page.shares, f"/videos/{video_id}/shares")
