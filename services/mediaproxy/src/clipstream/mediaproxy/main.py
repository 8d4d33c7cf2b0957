"""Composition root of the media proxy: `python -m clipstream.mediaproxy.main`."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack

import structlog
from aiohttp import web

from clipstream.common.obs.health import InternalServer
from clipstream.common.obs.starting import listen, start
from clipstream.common.obs.watchdog import Watchdog
from clipstream.common.stage.scratch import Scratch
from clipstream.common.store.open import open_backing_store
from clipstream.mediaproxy.app import application
from clipstream.mediaproxy.settings import Settings

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; then let running requests end, for `DRAIN_TIMEOUT` at most."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        listening = listen(settings.media_proxy_host, settings.media_proxy_port)
        stack.callback(listening.close)
        store = await open_backing_store(settings)
        stack.push_async_callback(store.close)
        scratch = Scratch.open(settings.scratch_dir, "mediaproxy")
        stack.callback(scratch.close)
        watchdog = Watchdog(asyncio.get_running_loop())
        watchdog.start()
        stack.callback(watchdog.stop)
        internal = InternalServer(settings.internal_host, settings.internal_port, {"storage": store.check})
        await internal.start()
        stack.push_async_callback(internal.close)
        # No access log of aiohttp's: it would hold signed addresses.
        drain_s = settings.drain_timeout.total_seconds()
        runner = web.AppRunner(application(settings, store, scratch), access_log=None, shutdown_timeout=drain_s)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listening).start()
        log.info("service_started", **settings.redacted())
        log.info("mediaproxy_started", host=settings.media_proxy_host, port=listening.getsockname()[1])
        await stop.wait()
        log.info("service_stopping")
        internal.stopping()
    log.info("service_stopped")
    return 0


def main() -> None:
    start("mediaproxy", Settings, run)


if __name__ == "__main__":
    main()
