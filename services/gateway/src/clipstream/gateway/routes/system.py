"""The gateway about itself: greeting, health, and the document of its API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from typing import Literal

from aiohttp import hdrs, web
from pydantic import BaseModel

from clipstream.gateway.access import Access
from clipstream.gateway.estimates import in_words
from clipstream.gateway.routes.api import Call, Reply, RouteTable
from clipstream.gateway.routes.conditional import etag_of
from clipstream.gateway.routes.dispatch import matches
from clipstream.gateway.routes.openapi import VERSION
from clipstream.gateway.services import DOCUMENT, Services

table = RouteTable("system")
CHECK_PATIENCE_S = 3.0


class Greeting(BaseModel):
    """Clipstream says hello."""

    name: Literal["clipstream"] = "clipstream"
    message: str = "Clipstream is running. Read the API at /docs."
    version: str = VERSION


class PoolState(BaseModel):
    """Connections to the database."""

    size: int
    idle: int
    in_use: int


class Healthy(BaseModel):
    """Everything the gateway needs is there. `ffmpeg` says whether a transcode worker consumes, `vectors` whether search
    answers: they are reported, and are no reason to send clients elsewhere."""

    status: Literal["healthy"] = "healthy"
    database: Literal["connected"] = "connected"
    storage: Literal["available"] = "available"
    broker: Literal["connected"] = "connected"
    ffmpeg: Literal["ready", "unavailable"]
    vectors: Literal["available", "unavailable"]
    uptime: str
    pool: PoolState


class Unhealthy(BaseModel):
    status: Literal["unhealthy"] = "unhealthy"
    issues: list[str]


@table.route("GET", "/", access=Access.PUBLIC)
async def greet(call: Call) -> Greeting:
    """A greeting"""
    return Greeting()


@table.route("GET", "/health", access=Access.PUBLIC, also={503: Unhealthy})
async def get_health(call: Call) -> Healthy | Reply:
    """Whether the gateway can do its work"""
    services = call.services
    database, storage, broker, transcode, vectors = await asyncio.gather(
        _works(services.pool.fetchval("SELECT 1")),
        _works(services.store.check()),
        _works(services.bus.consumers_ok()),
        _works(services.bus.served("transcode")),
        _works(services.search.healthy()),
    )
    problems = {
        "database_connection_failed": database,
        "storage_unavailable": storage,
        "broker_connection_failed": broker,
    }
    if issues := [name for name, works in problems.items() if not works]:
        return Reply(Unhealthy(issues=issues), status=503, headers={"Retry-After": "5"})
    return Healthy(
        ffmpeg="ready" if transcode else "unavailable",
        vectors="available" if vectors else "unavailable",
        uptime=in_words(time.monotonic() - services.started_at),
        pool=_pool(services),
    )


@table.route("GET", "/openapi.json", access=Access.USER, content=("application/json",))
async def get_openapi(call: Call) -> web.StreamResponse:
    """This API's OpenAPI 3.1 document"""
    body = call.request.app[DOCUMENT]
    headers = {hdrs.ETAG: etag_of(body), hdrs.CACHE_CONTROL: "private, no-cache"}
    if matches(call.request.headers.get(hdrs.IF_NONE_MATCH, ""), headers[hdrs.ETAG]):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", headers=headers)


async def _works(check: Awaitable[object]) -> bool:
    """Whether the check ends well in time. `False` is not well; None is."""
    try:
        async with asyncio.timeout(CHECK_PATIENCE_S):
            return await check is not False
    except Exception:
        return False


def _pool(services: Services) -> PoolState:
    size, idle = services.pool.get_size(), services.pool.get_idle_size()
    return PoolState(size=size, idle=idle, in_use=size - idle)
