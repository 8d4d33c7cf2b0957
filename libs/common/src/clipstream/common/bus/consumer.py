"""Keeps one subscription alive, whatever happens to channel, connection, queue or broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TypeAlias

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from clipstream.common.bus.connection import CONNECTION_ERRORS, Link
from clipstream.common.bus.parcel import Delivery
from clipstream.common.obs import metrics

log = structlog.get_logger()

Declare: TypeAlias = Callable[[AbstractChannel], Awaitable[AbstractQueue]]

_RPC_S = 30.0  # declaring everything on a slow machine included


class RabbitDelivery:
    """A delivery from RabbitMQ. Settling one whose channel is gone is no error: the broker delivers it again."""

    def __init__(self, message: AbstractIncomingMessage) -> None:
        self._message = message
        self.body = message.body
        self.headers: Mapping[str, str] = {name: str(value) for name, value in message.headers.items()}
        self.message_id = message.message_id or ""
        self.routing_key = message.routing_key or ""
        self.death = _last_death(message)

    async def ack(self) -> bool:
        return await self._settle(self._message.ack())

    async def requeue(self) -> bool:
        return await self._settle(self._message.nack(requeue=True))

    async def _settle(self, settling: Awaitable[None]) -> bool:
        try:
            async with asyncio.timeout(_RPC_S):
                await settling
        except CONNECTION_ERRORS:
            return False
        return True


class Consumer:
    """One subscription. `accept` gets each delivery in the client library's task and must only take it over."""

    def __init__(
        self,
        link: Link,
        label: str,
        declare: Declare,
        accept: Callable[[Delivery], None],
        *,
        prefetch: int,
        no_ack: bool = False,
    ) -> None:
        self.label = label
        self._link = link
        self._declare = declare
        self._accept = accept
        self._prefetch = prefetch
        self._no_ack = no_ack
        self._channel: AbstractChannel | None = None
        self._queue: AbstractQueue | None = None
        self._tag = ""
        self._ended = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None

    @property
    def subscribed(self) -> bool:
        """Whether the subscription stands as far as this process knows. Only the broker knows for sure."""
        return self._subscribed.is_set()

    async def start(self) -> None:
        """Subscribe, and stay subscribed from then on. Returns when the subscription stands."""
        self._keeper = asyncio.create_task(self._keep(), name=f"consume {self.label}")
        await self._subscribed.wait()

    async def wait_subscribed(self) -> None:
        await self._subscribed.wait()

    async def resubscribe(self) -> None:
        """Begin again from the ground up; what is unsettled is delivered again and joins the work on it."""
        self._subscribed.clear()
        await self._close_channel()
        self._ended.set()

    async def stop(self) -> None:
        """No more deliveries. What we hold stays ours until it is settled or the channel is closed."""
        self._stopping = True
        self._subscribed.clear()
        if self._queue is not None and self._channel is not None and not self._channel.is_closed:
            with suppress(*CONNECTION_ERRORS):
                await self._queue.cancel(self._tag, timeout=5)
        metrics.CONSUMER_UP.labels(self.label).set(0)

    async def close(self) -> None:
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._close_channel()

    async def _keep(self) -> None:
        pause = 0.2
        while not self._stopping:
            try:
                await self._subscribe()
                pause = 0.2
                await self._ended.wait()
                if not self._stopping:
                    log.warning("subscription_lost", queue=self.label)
            except CONNECTION_ERRORS as error:
                log.warning("subscription_failed", queue=self.label, error=str(error) or type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            finally:
                self._subscribed.clear()
                metrics.CONSUMER_UP.labels(self.label).set(0)
                if not self._stopping:
                    await self._close_channel()

    async def _subscribe(self) -> None:
        self._ended = ended = asyncio.Event()
        async with asyncio.timeout(_RPC_S):
            self._channel = channel = await self._link.channel()
            channel.close_callbacks.add(lambda *_: ended.set())
            underlay = await channel.get_underlay_channel()
            underlay.on_consumer_cancel_callbacks.add(lambda *_: ended.set())
            await channel.set_qos(prefetch_count=self._prefetch)
            self._queue = queue = await self._declare(channel)
            self._tag = await queue.consume(self._on_message, no_ack=self._no_ack)
        self._subscribed.set()
        metrics.CONSUMER_UP.labels(self.label).set(1)
        log.info("subscribed", queue=self.label)

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self._accept(RabbitDelivery(message))

    async def _close_channel(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None and not channel.is_closed:
            with suppress(*CONNECTION_ERRORS):
                async with asyncio.timeout(5):
                    await channel.close()


def _last_death(message: AbstractIncomingMessage) -> str | None:
    """Why the broker last gave this message up; the newest entry comes first."""
    deaths = message.headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], Mapping):
        return str(deaths[0].get("reason"))
    return None
