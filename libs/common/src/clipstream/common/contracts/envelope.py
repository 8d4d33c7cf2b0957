"""What an event travels in: CloudEvents 1.0 attribute names in structured JSON mode, and our extensions beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationInfo, field_validator

from clipstream.common.contracts.events import EVENTS, Event
from clipstream.common.contracts.ids import EventId, derived_event_id


class Envelope(BaseModel):
    """One event on its way.

    `attempt` counts tries of the work itself, from 1. `outagesince` is set while a server that the work needs is away:
    such tries are bounded by elapsed time and burn no attempt. `correlationid` is the id of the event that began it all.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: str = "1.0"
    id: EventId
    type: str
    source: str
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    correlationid: EventId
    causationid: EventId | None = None
    traceparent: str | None = None
    attempt: Annotated[int, Field(ge=1)] = 1
    outagesince: datetime | None = None
    data: SerializeAsAny[Event]

    @field_validator("data", mode="before")
    @classmethod
    def _data_by_type(cls, value: Any, info: ValidationInfo) -> Event:
        if isinstance(value, Event):
            return value
        name = info.data.get("type", "")
        if name not in EVENTS:
            raise ValueError(f"unknown event type {name!r}")
        return EVENTS[name].model_validate(value)

    @classmethod
    def first(cls, event: Event, *, event_id: EventId, source: str, traceparent: str | None = None) -> Self:
        """An event that no other event caused."""
        return cls(
            id=event_id,
            type=event.type,
            source=f"/clipstream/{source}",
            subject=str(event.video_id),
            time=datetime.now(UTC),
            correlationid=event_id,
            traceparent=traceparent,
            data=event,
        )

    def follow(self, event: Event, *, stage: str, index: int = 0) -> Envelope:
        """The answer of `stage` to this event. A repeated run gives the same id."""
        return Envelope(
            id=derived_event_id(self.id, stage, event.type, index),
            type=event.type,
            source=f"/clipstream/{stage}",
            subject=str(event.video_id),
            time=datetime.now(UTC),
            correlationid=self.correlationid,
            causationid=self.id,
            traceparent=self.traceparent,
            data=event,
        )

    def next_attempt(self) -> Envelope:
        """The same event for another try of the work."""
        return self.model_copy(update={"attempt": self.attempt + 1, "outagesince": None})

    def during_outage(self, now: datetime) -> Envelope:
        """The same event for another try once the missing server is back; no attempt is burnt."""
        return self.model_copy(update={"outagesince": self.outagesince or now})

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()

    @classmethod
    def from_bytes(cls, body: bytes) -> Envelope:
        """Raises pydantic's ValidationError where the body is no envelope or its event type is unknown."""
        return cls.model_validate_json(body)
