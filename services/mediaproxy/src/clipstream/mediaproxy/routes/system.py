"""The media proxy about itself."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from clipstream.common.store.objects import ObjectStore
from clipstream.common.store.proxy import wire
from clipstream.mediaproxy.access import HEALTH_ROUTE

_PATIENCE_S = 3.0


class System:
    """Handlers over one store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._started_at = time.monotonic()

    def routes(self) -> list[web.RouteDef]:
        return [web.get(wire.HEALTH, self.health, name=HEALTH_ROUTE), web.get(wire.SPACE, self.space)]

    async def health(self, _request: web.Request) -> web.StreamResponse:
        """Whether the store behind answers. Needs no token."""
        headers = {"Cache-Control": "no-store"}
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._store.check()
        except Exception:
            body = {"status": "unhealthy", "issues": ["storage_unavailable"]}
            return web.json_response(body, status=503, headers=headers | {"Retry-After": "5"})
        uptime = round(time.monotonic() - self._started_at, 1)
        return web.json_response({"status": "healthy", "storage": "available", "uptime": uptime}, headers=headers)

    async def space(self, _request: web.Request) -> web.StreamResponse:
        """How full the store behind is."""
        room = wire.Room.of(await self._store.space())
        return web.Response(
            body=room.model_dump_json(exclude_none=True).encode(),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )
