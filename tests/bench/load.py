"""Asks a server over plain sockets: a closed loop for rates, an open loop for waiting times.

The closed loop keeps a number of connections busy. The open loop sends when it is time to, whether or not earlier answers
have come, and measures from the intended moment: a server that stalls cannot hide it.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_HEAD_END = b"\r\n\r\n"


@dataclass
class Outcome:
    """What came back: seconds per request, and how often which status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wall_s: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.wall_s

    @property
    def p99_ms(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[98] * 1000


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """A whole HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one request on its way at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._need: int | None = None
        self._answer: asyncio.Future[int] | None = None
        self._status = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._need is None:
            end = self._buffer.find(_HEAD_END)
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            self._status = int(head[9:12])
            _, _, rest = head.partition(b"content-length:")
            length = 0 if self._status in (204, 304) else int(rest.split(b"\r", 1)[0])
            self._need = end + len(_HEAD_END) + length
        if len(self._buffer) >= self._need:
            del self._buffer[: self._need]
            self._need = None
            assert self._answer is not None
            self._answer.set_result(self._status)

    async def ask(self, raw: bytes) -> int:
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(raw)
        return await self._answer


async def _connect(host: str, port: int) -> _Connection:
    _, connection = await asyncio.get_running_loop().create_connection(_Connection, host, port)
    return connection


async def closed_loop(host: str, port: int, requests: Sequence[bytes], *, count: int, connections: int) -> Outcome:
    """`count` requests, taken from `requests` in turn, over `connections` that are never idle."""
    outcome = Outcome()
    left = iter(range(count))

    async def work() -> None:
        connection = await _connect(host, port)
        for number in left:
            sent = time.perf_counter()
            outcome.statuses[await connection.ask(requests[number % len(requests)])] += 1
            outcome.seconds.append(time.perf_counter() - sent)
        assert connection.transport is not None
        connection.transport.close()

    start = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    outcome.wall_s = time.perf_counter() - start
    return outcome


async def open_loop(host: str, port: int, requests: Sequence[bytes], *, seconds: float) -> Outcome:
    """All `requests`, evenly over `seconds`, each on a free connection; a new one is opened where none is free."""
    outcome = Outcome()
    free: list[_Connection] = []
    start = time.perf_counter()

    async def one(number: int, raw: bytes) -> None:
        due = start + seconds * number / len(requests)
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        connection = free.pop() if free else await _connect(host, port)
        outcome.statuses[await connection.ask(raw)] += 1
        outcome.seconds.append(time.perf_counter() - due)
        free.append(connection)

    await asyncio.gather(*(one(number, raw) for number, raw in enumerate(requests)))
    outcome.wall_s = time.perf_counter() - start
    for connection in free:
        assert connection.transport is not None
        connection.transport.close()
    return outcome
