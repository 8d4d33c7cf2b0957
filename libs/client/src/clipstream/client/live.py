"""Live events: server-sent events read for as long as somebody wants them. A connection that ends is opened again with the
last id that was seen, so that nothing that counts is missed.

The events' models stand here, since an OpenAPI document has no place for them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, TypeVar
from uuid import UUID

import aiohttp
from aiohttp import hdrs
from pydantic import BaseModel, ValidationError

from clipstream.client.errors import ApiError, Misunderstood, Unreachable
from clipstream.client.models import Processing, Video
from clipstream.client.transport import Request, Transport

T = TypeVar("T", bound=BaseModel)
LONGEST_EVENT = 16 << 20
LASTING_S = 10.0  # a connection that held for so long was a good one
_NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError)


class Tick(BaseModel):
    """A stage gets on. `fraction` is 0..1."""

    id: UUID
    stage: str
    state: Literal["started", "running", "retrying"]
    fraction: float
    attempt: int
    note: str | None


class Gone(BaseModel):
    """The video was deleted."""

    id: UUID


class Snapshot(BaseModel):
    """The newest videos of a stream, as they stand: in the place of all that was told before."""

    videos: list[Video]


VideoEvent = Processing | Tick | Gone
StreamEvent = Snapshot | Video | Tick | Gone
VIDEO_EVENTS: Mapping[str, type[Processing | Tick | Gone]] = {
    "processing": Processing,
    "progress": Tick,
    "deleted": Gone,
}
STREAM_EVENTS: Mapping[str, type[Snapshot | Video | Tick | Gone]] = {
    "snapshot": Snapshot,
    "video": Video,
    "progress": Tick,
    "deleted": Gone,
}


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event as it was sent."""

    name: str
    data: str
    id: str | None


class EventParser:
    """Cuts what arrives into events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that `chunk` completes."""
        self._rest += chunk
        if len(self._rest) > LONGEST_EVENT:
            raise Misunderstood("The server sent an event that is too long to be one.")
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text:
                self._take(text)
            elif (event := self._end()) is not None:
                yield event

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value

    def _end(self) -> ServerEvent | None:
        event = ServerEvent(self._name or "message", "\n".join(self._data), self._id) if self._data else None
        self._name, self._data = "", []
        return event


async def watch_video(transport: Transport, video_id: UUID) -> AsyncGenerator[VideoEvent, None]:
    """Its whole state first, then what changes; ends when it is deleted."""
    async with aclosing(_events(transport, f"/videos/{video_id}/events")) as events:
        async for event in events:
            if (model := VIDEO_EVENTS.get(event.name)) is not None:
                yield _read(model, event)
            if event.name == "deleted":
                return


async def watch_stream(transport: Transport, stream_id: UUID) -> AsyncGenerator[StreamEvent, None]:
    """A snapshot first, then what changes."""
    async with aclosing(_events(transport, f"/streams/{stream_id}/events")) as events:
        async for event in events:
            if (model := STREAM_EVENTS.get(event.name)) is not None:
                yield _read(model, event)


async def _events(transport: Transport, path: str) -> AsyncGenerator[ServerEvent, None]:
    """From one connection after the other. Raises what a refusal means, and `Unreachable` when patience has ended."""
    last_id: str | None = None
    failed = 0
    while True:
        opened_at = time.monotonic()
        reason: ApiError | Unreachable = Unreachable(f"{transport.base} ended the events.")
        try:
            async with aclosing(_connection(transport, path, last_id)) as events:
                async for event in events:
                    if event.name == "closed":
                        break
                    last_id, failed = event.id or last_id, 0
                    yield event
        except ApiError as error:
            if error.status not in (429, 502, 503, 504):
                raise
            reason = error
        except _NO_ANSWER as error:
            reason = Unreachable(f"{transport.base} does not answer ({error or type(error).__name__}).")
        if time.monotonic() - opened_at > LASTING_S:
            failed = 0
        failed += 1
        wait_s = reason.retry_after if isinstance(reason, ApiError) else None
        if not transport.patience.allows(failed, wait_s):
            raise reason
        await transport.patience.pause(failed, wait_s)


async def _connection(transport: Transport, path: str, last_id: str | None) -> AsyncGenerator[ServerEvent, None]:
    headers: dict[str, str] = {hdrs.ACCEPT: "text/event-stream"}
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    request = Request("GET", path, {}, None, headers, repeatable=True, signed=True, also=())
    parser = EventParser()
    async with transport.opened(request) as response:
        if response.content_type != "text/event-stream":
            raise Misunderstood("The server answered with something else than live events.")
        async for chunk in response.content.iter_any():
            for event in parser.feed(chunk):
                yield event


def _read(model: type[T], event: ServerEvent) -> T:
    try:
        return model.model_validate_json(event.data)
    except ValidationError as error:
        raise Misunderstood(
            f"The event {event.name!r} is not understood. Is this client older than the server?"
        ) from error
