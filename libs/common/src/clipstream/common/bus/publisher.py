"""Hands messages to the broker and answers for it that they were taken over."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import DeliveryError, PublishError

from clipstream.common.bus.connection import CONNECTION_ERRORS, Link
from clipstream.common.bus.parcel import Parcel
from clipstream.common.bus.port import Unroutable
from clipstream.common.bus.topology import DEAD_EXCHANGE, retry_exchange
from clipstream.common.errors import Outage
from clipstream.common.obs import metrics

log = structlog.get_logger()

_CONFIRM_S = 10.0
_DEFAULT_EXCHANGE = ""


class Publisher:
    """Publishes with confirms on a connection of its own. A repeated publish keeps its message id: a lost confirmation
    does not mean a lost message, and readers know how to ignore the copy."""

    def __init__(self, link: Link, service: str, *, patience: timedelta = timedelta(seconds=60)) -> None:
        self._link = link
        self._service = service
        self._patience = patience
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._telling: AbstractChannel | None = None
        self._opening_telling = False

    async def to_queue(self, queue: str, parcel: Parcel) -> None:
        await self.publish(_DEFAULT_EXCHANGE, queue, parcel)

    async def later(self, queue: str, parcel: Parcel, delay: timedelta) -> None:
        """`delay` is one of the topology's retry steps."""
        await self.publish(retry_exchange(delay), queue, parcel)

    async def bury(self, queue: str, parcel: Parcel) -> None:
        await self.publish(DEAD_EXCHANGE, queue, parcel)

    async def publish(self, exchange: str, routing_key: str, parcel: Parcel) -> None:
        """Return once the broker has confirmed. `Unroutable` where no queue takes it, `Outage` after the patience."""
        started = time.monotonic()
        message = self._message(parcel, DeliveryMode.PERSISTENT)
        pause = 0.1
        while (error := await self._try(exchange, routing_key, message)) is not None:
            if time.monotonic() - started > self._patience.total_seconds():
                raise Outage(f"RabbitMQ has taken nothing over for {self._patience}: {_words(error)}") from error
            metrics.PUBLISH_RETRIES.inc()
            log.warning("publish_repeated", type=parcel.type, routing_key=routing_key, error=_words(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
        metrics.PUBLISH_SECONDS.observe(time.monotonic() - started)

    async def tell(self, exchange_name: str, routing_key: str, parcel: Parcel) -> None:
        """Send without confirmation, where the connection stands; else begin to connect and drop this one."""
        channel = self._telling
        if channel is None or channel.is_closed:
            metrics.PROGRESS_LOST.inc()
            await self._open_telling()
            return
        try:
            async with asyncio.timeout(1):
                exchange = await channel.get_exchange(exchange_name, ensure=False)
                message = self._message(parcel, DeliveryMode.NOT_PERSISTENT)
                await exchange.publish(message, routing_key, mandatory=False)
        except CONNECTION_ERRORS:
            self._telling = None
            metrics.PROGRESS_LOST.inc()

    async def open(self) -> None:
        """Have both channels ready before the first message."""
        await self._ready()
        await self._open_telling()

    async def _try(self, exchange: str, routing_key: str, message: Message) -> Exception | None:
        """One publish; the error that another try may mend, or None."""
        channel: AbstractChannel | None = None
        try:
            channel = await self._ready()
            async with asyncio.timeout(_CONFIRM_S):
                target = (
                    channel.default_exchange if not exchange else await channel.get_exchange(exchange, ensure=False)
                )
                await target.publish(message, routing_key, mandatory=True)
        except PublishError as error:
            metrics.UNROUTABLE.labels(message.type or "").inc()
            log.critical("event_unroutable", exchange=exchange, routing_key=routing_key, message_id=message.message_id)
            raise Unroutable(
                f"No queue takes {routing_key} from exchange {exchange or 'default'!r}: a binding is missing."
            ) from error
        except DeliveryError as error:  # refused, for instance by a full queue: the channel is fine
            return error
        except CONNECTION_ERRORS as error:
            await self._forget(channel)
            return error
        return None

    async def _ready(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._link.channel()
            return self._channel

    async def _forget(self, channel: AbstractChannel | None) -> None:
        """Start over with a new connection: one that lets a publish time out is not to be trusted with the next."""
        if channel is not None and channel is self._channel:
            self._channel = None
            await self._link.drop()

    async def _open_telling(self) -> None:
        if self._opening_telling:
            return
        self._opening_telling = True
        try:
            async with asyncio.timeout(1):
                self._telling = await self._link.channel(confirms=False)
        except CONNECTION_ERRORS:
            self._telling = None
        finally:
            self._opening_telling = False

    def _message(self, parcel: Parcel, mode: DeliveryMode) -> Message:
        return Message(
            parcel.body,
            content_type="application/json",
            delivery_mode=mode,
            message_id=parcel.message_id,
            type=parcel.type,
            correlation_id=parcel.correlation_id,
            timestamp=parcel.time,
            app_id=self._service,
            headers=dict(parcel.headers),
        )


def _words(error: Exception) -> str:
    """Several of the client library's errors have no text."""
    return str(error) or type(error).__name__
