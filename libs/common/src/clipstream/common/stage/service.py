"""The life of a service's process: it starts, lives until it is told to stop or something essential in it ends, and
stops in good order. Restarting is the supervisor's work; this one's is to say honestly when it is needed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

import structlog
from aiohttp import web

from clipstream.common.bus.port import Bus
from clipstream.common.errors import Outage
from clipstream.common.obs.health import Check, InternalServer
from clipstream.common.obs.watchdog import Watchdog
from clipstream.common.settings import ServiceSettings

log = structlog.get_logger()

_LOOK_EVERY_S = 5.0
_UNHEALTHY_FOR = timedelta(seconds=60)


async def live(
    bus: Bus,
    settings: ServiceSettings,
    *,
    checks: Mapping[str, Check],
    routes: Sequence[web.AbstractRouteDef] = (),
    consume: Callable[[], Awaitable[None]],
    background: Sequence[Callable[[], Awaitable[None]]] = (),
) -> int:
    """Serve health, consume, run `background`; return the exit status once the process is to end.

    0 after SIGTERM or SIGINT. 1 where a background task raised, or where the broker has said for a minute that a queue
    of ours has no consumer. A background task may return; a broker that is away is waited for.
    """
    watchdog = Watchdog(asyncio.get_running_loop())
    server = InternalServer(
        settings.internal_host, settings.internal_port, {"consumers": consumer_check(bus), **checks}, routes
    )
    stop = _stop_signal()
    watchdog.start()
    await server.start()
    log.info("service_started", **settings.redacted())
    tasks = [asyncio.create_task(_awaited(task), name=_name(task)) for task in (consume, *background)]
    tasks.append(asyncio.create_task(watch_consumers(bus, _UNHEALTHY_FOR), name="consumer watch"))
    try:
        return await until_end(stop, tasks)
    finally:
        server.stopping()
        await end_tasks(tasks)
        await bus.drain(settings.drain_timeout)
        await server.close()
        watchdog.stop()
        log.info("service_stopped")


async def end_tasks(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until all have ended. Once is not enough: where cleaning up raises (the rollback on a connection that is
    gone), that error takes the cancellation's place, and a loop that survives errors goes on."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)
    await asyncio.gather(*tasks, return_exceptions=True)


def consumer_check(bus: Bus) -> Check:
    """A health check: the broker's own word on our consumers."""

    async def check() -> None:
        if not await bus.consumers_ok():
            raise Outage("The broker says that a queue of this service has no consumer.")

    return check


def _stop_signal() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _awaited(task: Callable[[], Awaitable[None]]) -> None:
    await task()


def _name(task: Callable[[], Awaitable[None]]) -> str:
    return str(getattr(getattr(task, "func", task), "__qualname__", "background"))


async def until_end(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> int:
    """0 when told to stop, 1 when a task raised. Limping on without a part is worse than being restarted."""
    stopped = asyncio.create_task(stop.wait())
    running: set[asyncio.Task[None]] = set(tasks)
    try:
        while True:
            await asyncio.wait({stopped, *running}, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                log.info("service_stopping")
                return 0
            for task in [task for task in running if task.done()]:
                running.discard(task)
                if error := task.exception():
                    log.critical("service_broken", task=task.get_name(), error=str(error), exc_info=error)
                    return 1
    finally:
        stopped.cancel()


async def watch_consumers(bus: Bus, patience: timedelta, *, every_s: float = _LOOK_EVERY_S) -> None:
    """Raise once the broker has said for `patience` that we do not consume. While it does not answer at all, nothing is
    won by a restart, and running work would be lost."""
    loop = asyncio.get_running_loop()
    unhealthy_since: float | None = None
    while True:
        await asyncio.sleep(every_s)
        try:
            healthy = await bus.consumers_ok()
        except Outage:
            healthy = True
        if healthy:
            unhealthy_since = None
        elif unhealthy_since is None:
            unhealthy_since = loop.time()
        elif loop.time() - unhealthy_since >= patience.total_seconds():
            raise Outage(f"The broker has said for {patience} that a queue of this service has no consumer.")
