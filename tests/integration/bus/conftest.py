"""Buses on a real broker, in as much of a hurry as tests are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import pytest

from clipstream.common.bus.rabbit import Patience, RabbitBus, connect
from clipstream.common.bus.retry import RetryPolicy
from clipstream.common.bus.topology import Topology
from clipstream.common.contracts.events import ClipAdmitted, UploadCompleted
from fixtures.broker import Broker

STEPS = (timedelta(milliseconds=100), timedelta(milliseconds=500))
TOPOLOGY = Topology(queues={"ingest": (UploadCompleted,), "stt": (ClipAdmitted,)}, retry_steps=STEPS)
POLICY = RetryPolicy(steps=STEPS, max_attempts=3, outage_patience=timedelta(seconds=30))
PATIENCE = Patience(publish=timedelta(seconds=30), outage_pause=timedelta(0), self_check=timedelta(milliseconds=300))


class MakeBus(Protocol):
    """Connects another service to the test's vhost; without `heals`, nothing asks the broker about its consumers."""

    async def __call__(self, *, heals: bool = True) -> RabbitBus: ...


@pytest.fixture
async def make_bus(broker: Broker) -> AsyncIterator[MakeBus]:
    async with AsyncExitStack() as opened:

        async def make(*, heals: bool = True) -> RabbitBus:
            patience = PATIENCE if heals else replace(PATIENCE, self_check=timedelta(hours=1))
            bus = await connect(broker.settings, "test", topology=TOPOLOGY, policy=POLICY, patience=patience)
            opened.push_async_callback(bus.close)
            opened.push_async_callback(bus.drain, timedelta(0))
            return bus

        yield make


@pytest.fixture
async def bus(make_bus: MakeBus) -> RabbitBus:
    return await make_bus()
