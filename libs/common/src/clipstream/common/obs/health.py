"""The internal HTTP server that every service has: /health for orchestrators, /metrics for Prometheus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = structlog.get_logger()

Check: TypeAlias = Callable[[], Awaitable[None]]

_CHECK_S = 5.0


class InternalServer:
    """Serves on the internal address, never on the public one.

    /health answers 200 `{"status": "healthy", "checks": {name: "ok"}}`, or 503 with `"status": "unhealthy"`, the failing
    checks' words and their names as `issues`. A check that does not answer within five seconds has failed.
    """

    def __init__(
        self,
        host: str,
        port: int,
        checks: Mapping[str, Check],
        routes: Sequence[web.AbstractRouteDef] = (),
    ) -> None:
        self._host = host
        self._wanted_port = port
        self._checks = checks
        self._started_at = time.monotonic()
        self._stopping = False
        self._runner: web.AppRunner | None = None
        self._app = web.Application()
        self._app.add_routes([web.get("/health", self.health), web.get("/metrics", self.metrics), *routes])

    async def start(self) -> None:
        self._runner = web.AppRunner(self._app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._wanted_port).start()
        log.info("internal_server_started", host=self._host, port=self.port)

    @property
    def port(self) -> int:
        """The port it listens on; chosen by the system where 0 was asked for."""
        if self._runner is None or not self._runner.addresses:
            return self._wanted_port
        return int(self._runner.addresses[0][1])

    def stopping(self) -> None:
        """Say 503 from now on, so that nobody sends work here any more."""
        self._stopping = True

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def health(self, _request: web.Request) -> web.Response:
        names = list(self._checks)
        words = dict(zip(names, await asyncio.gather(*(self._ask(name) for name in names)), strict=True))
        issues = [name for name, answer in words.items() if answer != "ok"]
        if self._stopping:
            issues.append("stopping")
        body: dict[str, object] = {
            "status": "unhealthy" if issues else "healthy",
            "checks": words,
            "uptime": round(time.monotonic() - self._started_at, 1),
        }
        if issues:
            body["issues"] = issues
        return web.json_response(body, status=503 if issues else 200)

    async def metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _ask(self, name: str) -> str:
        try:
            async with asyncio.timeout(_CHECK_S):
                await self._checks[name]()
        except TimeoutError:
            return f"no answer within {_CHECK_S:.0f} s"
        except Exception as error:
            return str(error) or type(error).__name__
        return "ok"
