"""The process that owns the vector engine: `python -m clipstream.common.vectors.edge_server`. The engine runs in one
thread; the event loop takes requests, checks them, and flushes the engine every few seconds and at the end."""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog
from aiohttp import web
from pydantic import SecretStr, ValidationError, model_validator

from clipstream.common.errors import ClipstreamError, Permanent
from clipstream.common.obs.health import InternalServer
from clipstream.common.obs.logging import configure
from clipstream.common.settings import ServiceSettings
from clipstream.common.vectors import wire
from clipstream.common.vectors.address import Address
from clipstream.common.vectors.engine import Engine, EngineBroken

P = ParamSpec("P")
T = TypeVar("T")

MAX_BODY = 64 << 20
log = structlog.get_logger(__name__)


class EdgeSettings(ServiceSettings):
    """Where the process listens and where it keeps its vectors."""

    vectors_url: str
    vectors_dir: Path
    vectors_token: SecretStr | None = None
    vectors_flush_interval: timedelta = timedelta(seconds=3)

    @model_validator(mode="after")
    def _closed_to_strangers(self) -> EdgeSettings:
        if Address.parse(self.vectors_url).path is None and self.vectors_token is None:
            raise ValueError("VECTORS_TOKEN must be set where VECTORS_URL is a tcp:// address: anyone could connect")
        return self


class EdgeServer:
    """HTTP around an engine."""

    def __init__(self, settings: EdgeSettings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, "engine")
        self._engine: Engine | None = None
        self._broken = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> int:
        """Serve until `stop`; the process's exit status. The engine is open before the socket is, so whoever can connect
        is answered. A broken engine ends the process: its supervisor starts a whole one."""
        self._engine = await asyncio.get_running_loop().run_in_executor(
            self._thread, Engine, self._settings.vectors_dir
        )
        app = web.AppRunner(self._app(), access_log=None)
        internal = InternalServer(self._settings.internal_host, self._settings.internal_port, {"engine": self._answers})
        flushing = asyncio.create_task(self._flush_regularly())
        try:
            await app.setup()
            await self._site(app).start()
            await internal.start()
            log.info("vectors_served", address=self._settings.vectors_url)
            await _first_of(stop, self._broken)
        finally:
            flushing.cancel()
            internal.stopping()
            await app.cleanup()
            await internal.close()
            if not self._broken.is_set():
                await self._call(self._engine.close)
            log.info("vectors_closed", broken=self._broken.is_set())
        return 1 if self._broken.is_set() else 0

    def _site(self, runner: web.AppRunner) -> web.BaseSite:
        address = Address.parse(self._settings.vectors_url)
        if address.path is None:
            return web.TCPSite(runner, address.host, address.port)
        os.umask(0o077)  # the socket is for this user's processes only
        Path(address.path).parent.mkdir(parents=True, exist_ok=True)
        return web.UnixSite(runner, address.path)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._guarded])
        for name, handler in {
            "ensure": self._ensure,
            "upsert": self._upsert,
            "search": self._search,
            "vectors": self._vectors,
            "delete": self._delete,
            "count": self._count,
        }.items():
            app.router.add_post(f"/collections/{{name}}/{name}", handler)
        app.router.add_get("/health", self._health)
        return app

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        token = self._settings.vectors_token
        if token is not None:
            expected = f"Bearer {token.get_secret_value()}".encode()
            if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
                return web.json_response({"error": "The token is missing or wrong."}, status=401)
        try:
            return await handler(request)
        except Permanent as error:
            return web.json_response({"error": str(error)}, status=400)
        except ValidationError as error:
            return web.json_response({"error": f"The request is malformed: {error}"}, status=400)
        except ClipstreamError as error:
            log.exception("vector_request_failed")
            if isinstance(error, EngineBroken):
                self._broken.set()
            return web.json_response({"error": str(error)}, status=503)

    async def _ensure(self, request: web.Request) -> web.Response:
        asked = wire.Ensure.model_validate_json(await request.read())
        await self._call(self._open.ensure, request.match_info["name"], asked.dimension, asked.keyword_fields)
        return _answer()

    async def _upsert(self, request: web.Request) -> web.Response:
        asked = wire.Upsert.model_validate_json(await request.read())
        name, points = request.match_info["name"], [point.point() for point in asked.points]
        await self._call(self._open.check_points, name, points)
        for some in self._open.slices(points):
            await self._call(self._open.upsert, name, some)
        return _answer()

    async def _search(self, request: web.Request) -> web.Response:
        asked = wire.Search.model_validate_json(await request.read())
        vectors = [wire.unpack(vector) for vector in asked.vectors]
        where = asked.where.filter() if asked.where else None
        found = await self._call(self._open.search, request.match_info["name"], vectors, asked.limit, where)
        return _answer(hits=[[wire.WireHit.of(hit) for hit in hits] for hits in found])

    async def _vectors(self, request: web.Request) -> web.Response:
        asked = wire.Where.model_validate_json(await request.read())
        where = (asked.where or wire.WireFilter()).filter()
        points = await self._call(self._open.vectors_of, request.match_info["name"], where, asked.limit)
        return _answer(points=[wire.WirePoint.of(point) for point in points])

    async def _delete(self, request: web.Request) -> web.Response:
        asked = wire.Where.model_validate_json(await request.read())
        where = (asked.where or wire.WireFilter()).filter()
        await self._call(self._open.delete, request.match_info["name"], where)
        return _answer()

    async def _count(self, request: web.Request) -> web.Response:
        asked = wire.Where.model_validate_json(await request.read())
        where = asked.where.filter() if asked.where else None
        return _answer(count=await self._call(self._open.count, request.match_info["name"], where))

    async def _health(self, _: web.Request) -> web.Response:
        await self._answers()
        return _answer()

    async def _answers(self) -> None:
        """That the engine's thread takes work."""
        await self._call(lambda: None)

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._settings.vectors_flush_interval.total_seconds())
            with suppress(ClipstreamError):  # logged by the next request that meets the same trouble
                await self._call(self._open.flush)

    @property
    def _open(self) -> Engine:
        assert self._engine is not None  # noqa: S101 - the socket opens after the engine
        return self._engine

    async def _call(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: call(*args, **kwargs))


def _answer(**told: object) -> web.Response:
    body = wire.Answer.model_validate(told).model_dump_json(exclude_defaults=True)
    return web.Response(text=body, content_type="application/json")


async def _first_of(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def main() -> int:
    settings = EdgeSettings()
    configure("vectors", settings.log_level)
    log.info("vectors_starting", **settings.redacted())
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    return await EdgeServer(settings).run(stop)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
