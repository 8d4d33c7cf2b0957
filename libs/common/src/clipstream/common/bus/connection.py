"""One connection to RabbitMQ, made again when it is lost.

aio-pika's robust connection is not used: after a broker was killed it was seen connected with its consumers gone, and a
channel that fails while being restored stays lost. Whoever needs a channel asks here for a new one, and builds on it
what it needs from the ground up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pamqp.common import FieldTable
from yarl import URL

from clipstream.common.errors import Outage

log = structlog.get_logger()

# What a lost connection looks like. Catch these around calls of the client library only, never around a handler:
# RuntimeError is among them.
CONNECTION_ERRORS: tuple[type[Exception], ...] = (*CONNECTION_EXCEPTIONS, TimeoutError)

_CONNECT_S = 30.0  # declaring everything on a slow machine included
_HEARTBEAT_S = 15  # the broker or we notice a dead link within about two of these


class Link:
    """A connection for one purpose: publishers and consumers must not share one, because the broker stops reading from
    a connection that publishes while its memory or disk alarm rings, and acknowledgements would wait behind."""

    def __init__(self, url: str, name: str, prepare: Callable[[AbstractChannel], Awaitable[None]]) -> None:
        self._url = URL(url).update_query(heartbeat=str(_HEARTBEAT_S))
        self._name = name
        self._prepare = prepare
        self._connection: AbstractConnection | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def channel(self, *, confirms: bool = True) -> AbstractChannel:
        """A new channel. Raises one of `CONNECTION_ERRORS`; the connection is made anew on the next call then."""
        if self._closed:
            raise ConnectionError("the bus is closed")
        connection = await self._connected()
        try:
            async with asyncio.timeout(_CONNECT_S):
                return await connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
        except CONNECTION_ERRORS:
            await self.drop(connection)
            raise

    async def wait_for_broker(self, patience_s: float) -> None:
        """Return once the broker answers; `Outage` where it does not within `patience_s`."""
        deadline = asyncio.get_running_loop().time() + patience_s
        while True:
            try:
                await self._connected()
                return
            except CONNECTION_ERRORS as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise Outage(f"RabbitMQ does not answer at {self._address}: {error}") from error
                log.info("broker_awaited", address=self._address, error=str(error))
                await asyncio.sleep(0.5)

    async def drop(self, connection: AbstractConnection | None = None) -> None:
        """Give the connection up; without waiting for a broker that may not be reading."""
        connection = connection or self._connection
        if connection is None:
            return
        if self._connection is connection:
            self._connection = None
        with suppress(*CONNECTION_ERRORS):
            async with asyncio.timeout(1):
                await connection.close()

    async def close(self) -> None:
        self._closed = True
        await self.drop()

    @property
    def _address(self) -> str:
        return f"{self._url.host}:{self._url.port}"

    async def _connected(self) -> AbstractConnection:
        async with self._connecting:
            if self._connection is not None and self._connection.connected.is_set() and not self._connection.is_closed:
                return self._connection
            properties: FieldTable = {"connection_name": self._name}
            async with asyncio.timeout(_CONNECT_S):
                connection = await aio_pika.connect(self._url, client_properties=properties)
                channel = await connection.channel()
                await self._prepare(channel)
                await channel.close()
            self._connection = connection
            log.info("broker_connected", address=self._address, connection=self._name)
            return connection
