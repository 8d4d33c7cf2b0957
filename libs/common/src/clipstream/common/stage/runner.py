"""Runs stages: the main function of every service of the pipeline."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, NoReturn, TypeAlias

import structlog
from aiohttp import web

from clipstream.common.bus.port import Bus
from clipstream.common.bus.rabbit import connect
from clipstream.common.contracts.events import ClipDeleted
from clipstream.common.errors import ClipstreamError
from clipstream.common.obs import logging
from clipstream.common.obs.health import Check
from clipstream.common.settings import StageSettings
from clipstream.common.stage.isolate import isolate
from clipstream.common.stage.job import StageJobs
from clipstream.common.stage.process import Spares
from clipstream.common.stage.scratch import Scratch
from clipstream.common.stage.service import live
from clipstream.common.stage.spec import StageSpec
from clipstream.common.stage.stops import Stops
from clipstream.common.store import open_store
from clipstream.common.store.objects import ObjectStore

log = structlog.get_logger()

Background: TypeAlias = Callable[[Bus, ObjectStore], Awaitable[None]]


def run_stage(
    specs: Sequence[StageSpec[Any]],
    settings: StageSettings,
    *,
    service: str,
    routes: Sequence[web.AbstractRouteDef] = (),
    background: Sequence[Background] = (),
) -> NoReturn:
    """Run stages until the process is told to stop, and end it. A service that opens more than bus and store awaits
    `serve_stage` within a coroutine of its own and hands that to `run_to_end`."""
    run_to_end(serve_stage(specs, settings, service=service, routes=routes, background=background), settings, service)


def run_to_end(serving: Awaitable[int], settings: StageSettings, service: str) -> NoReturn:
    """Run a service's coroutine and end the process with the status it returns. A thread that is still at work on what
    nobody wants any more is not waited for."""
    logging.configure(service, settings.log_level)

    async def serve() -> int:
        return await serving

    try:
        status = asyncio.run(serve())
    except ClipstreamError as error:
        log.critical("service_not_started", error=str(error))
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def serve_stage(
    specs: Sequence[StageSpec[Any]],
    settings: StageSettings,
    *,
    service: str,
    routes: Sequence[web.AbstractRouteDef] = (),
    background: Sequence[Background] = (),
    checks: Mapping[str, Check] | None = None,
) -> int:
    """Open bus and store, consume for every spec, live until the end; the exit status."""
    async with AsyncExitStack() as opened:
        store = await open_store(settings)
        opened.push_async_callback(store.close)
        bus = await connect(settings, service)
        opened.push_async_callback(bus.close)
        spares = await opened.enter_async_context(Spares(target for spec in specs for target in spec.ready))
        scratch = Scratch.open(settings.scratch_dir, service)
        opened.callback(scratch.close)
        return await live(
            bus,
            settings,
            checks={"storage": store.check, **(checks or {})},
            routes=routes,
            consume=partial(consume_stages, specs, bus, store, scratch, spares),
            background=[partial(task, bus, store) for task in background],
        )


async def consume_stages(
    specs: Sequence[StageSpec[Any]], bus: Bus, store: ObjectStore, scratch: Scratch, spares: Spares
) -> None:
    """Begin to work on the specs' queues. What must stop is heard first, so that no work begins unheard."""
    stops = Stops()
    await bus.listen([ClipDeleted], stops.deleted)
    await bus.consume_stops(stops.ordered)
    for spec in specs:
        jobs = StageJobs(
            spec=spec,
            bus=bus,
            store=store,
            scratch=scratch,
            threads=ThreadPoolExecutor(spec.slots, thread_name_prefix=spec.name),
            caged=partial(isolate, spares=spares),
            stops=stops,
        )
        await bus.consume(spec.source, [spec.consumes], jobs.handle, slots=spec.slots)
