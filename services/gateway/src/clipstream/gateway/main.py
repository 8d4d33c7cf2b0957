"""Composition root of the gateway: `python -m clipstream.gateway.main`."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import structlog
from aiohttp import web
from pydantic import ValidationError

from clipstream.common.bus.rabbit import connect as connect_bus
from clipstream.common.db.migrations import migrate
from clipstream.common.db.pool import connect as connect_database
from clipstream.common.errors import ClipstreamError, Outage
from clipstream.common.obs.health import InternalServer
from clipstream.common.obs.logging import configure
from clipstream.common.obs.watchdog import Watchdog
from clipstream.common.store.open import open_store
from clipstream.common.store.presign import UploadSigner
from clipstream.gateway.app import MIGRATIONS, SCHEMA, Gateway
from clipstream.gateway.settings import Settings

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then let go in order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    watchdog = Watchdog(loop)
    watchdog.start()
    listening = listen(settings.gateway_host, settings.gateway_port)
    async with open_gateway(settings, listening.getsockname()[1]) as gateway:
        await _serve(gateway, settings, listening, stop)
    watchdog.stop()


def listen(host: str, port: int) -> socket.socket:
    """The public address, taken before anything else starts: another gateway there is noticed at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=256)
    listening.setblocking(False)
    return listening


@asynccontextmanager
async def open_gateway(settings: Settings, port: int) -> AsyncIterator[Gateway]:
    """The gateway with everything it needs, closed in reverse."""
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(migrate, str(settings.database_url), MIGRATIONS, schema=SCHEMA)
        pool = await connect_database(settings, schema=SCHEMA)
        stack.push_async_callback(pool.close)
        signer = UploadSigner(settings.secret_key.get_secret_value(), own_url(settings, port))
        store = await open_store(settings, signer=signer)
        stack.push_async_callback(store.close)
        bus = await connect_bus(settings, "gateway")
        stack.push_async_callback(bus.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Gateway(settings, pool, store, bus, signer, session)


def own_url(settings: Settings, port: int) -> str:
    """Where clients reach the gateway, as far as it can know."""
    anywhere = settings.gateway_host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
    return settings.public_api_url or f"http://{'127.0.0.1' if anywhere else settings.gateway_host}:{port}"


async def _serve(gateway: Gateway, settings: Settings, listening: socket.socket, stop: asyncio.Event) -> None:
    internal = InternalServer(settings.internal_host, settings.internal_port, _checks(gateway))
    runner = web.AppRunner(gateway.application, access_log=None, shutdown_timeout=5, handler_cancellation=False)
    async with gateway.running() as ended:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        await internal.start()
        log.info("gateway_started", settings=settings.redacted(), port=listening.getsockname()[1])
        ended.add_done_callback(lambda _: stop.set())
        await stop.wait()
        internal.stopping()
        log.info("gateway_stopping")
        await runner.cleanup()
        await gateway.bus.drain(settings.drain_timeout)
        if ended.done():
            ended.result()
    await internal.close()
    log.info("gateway_stopped")


def _checks(gateway: Gateway) -> dict[str, Callable[[], Awaitable[None]]]:
    """What the orchestrator's health check asks."""

    async def database() -> None:
        await gateway.services.pool.fetchval("SELECT 1")

    async def broker() -> None:
        if not await gateway.bus.consumers_ok():
            raise Outage("The broker says that one of our queues has no consumer.")

    return {"database": database, "storage": gateway.services.store.check, "broker": broker}


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, f['loc'])) or 'settings'}: {f['msg']}" for f in error.errors(include_input=False)
        )
        sys.exit(f"The gateway does not start: {faults}")
    configure("gateway", settings.log_level)
    try:
        asyncio.run(run(settings))
    except (ClipstreamError, OSError) as error:
        log.critical("gateway_failed", reason=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
