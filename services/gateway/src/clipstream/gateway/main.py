"""Composition root of the gateway: `python -m clipstream.gateway.main`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import structlog
from aiohttp import web

from clipstream.common.bus.rabbit import connect as connect_bus
from clipstream.common.db.migrations import migrate
from clipstream.common.db.pool import connect as connect_database
from clipstream.common.db.pool import disconnect
from clipstream.common.obs.starting import listen, start
from clipstream.common.stage.service import live
from clipstream.common.store.open import open_store
from clipstream.common.store.presign import UploadSigner
from clipstream.gateway.app import MIGRATIONS, SCHEMA, Gateway
from clipstream.gateway.settings import Settings

STREAMS_END_WITHIN_S = 5

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then let go in order; the exit status."""
    listening = listen(settings.gateway_host, settings.gateway_port)
    port = listening.getsockname()[1]
    async with open_gateway(settings, port) as gateway, serving(gateway.application, listening):
        log.info("gateway_started", host=settings.gateway_host, port=port)

        async def database() -> None:
            await gateway.services.pool.fetchval("SELECT 1")

        return await live(
            gateway.bus,
            settings,
            checks={"database": database, "storage": gateway.services.store.check},
            consume=gateway.consume,
            background=gateway.background,
        )


@asynccontextmanager
async def open_gateway(settings: Settings, port: int) -> AsyncIterator[Gateway]:
    """The gateway with everything it needs, closed in reverse."""
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(migrate, str(settings.database_url), MIGRATIONS, schema=SCHEMA)
        pool = await connect_database(settings, schema=SCHEMA)
        stack.push_async_callback(disconnect, pool)
        signer = UploadSigner(settings.secret_key.get_secret_value(), own_url(settings, port))
        store = await open_store(settings, signer=signer)
        stack.push_async_callback(store.close)
        bus = await connect_bus(settings, "gateway")
        stack.push_async_callback(bus.close)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        gateway = Gateway(settings, pool, store, bus, signer, session)
        await gateway.services.logins.settle(development=settings.dev_login)
        yield gateway


@asynccontextmanager
async def serving(application: web.Application, listening: socket.socket) -> AsyncIterator[None]:
    """The public API on a socket. No access log of aiohttp's: it would hold signed paths."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=STREAMS_END_WITHIN_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()


def own_url(settings: Settings, port: int) -> str:
    """Where clients reach the gateway, as far as it can know."""
    anywhere = settings.gateway_host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
    return settings.public_api_url or f"http://{'127.0.0.1' if anywhere else settings.gateway_host}:{port}"


def main() -> None:
    start("gateway", Settings, run)


if __name__ == "__main__":
    main()
