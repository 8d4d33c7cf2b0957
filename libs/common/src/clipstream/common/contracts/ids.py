"""Identifiers, and how new ones follow from old ones, so that a repeated run names everything the same."""

from __future__ import annotations

from typing import NewType
from uuid import UUID, uuid5

VideoId = NewType("VideoId", UUID)
StreamId = NewType("StreamId", UUID)
UserId = NewType("UserId", UUID)
EventId = NewType("EventId", UUID)
RunId = NewType("RunId", str)

NAMESPACE = UUID("6f1d3f0e-5f57-5c0b-9a57-2f3f5b1c9e01")


def upload_event_id(bucket: str, key: str, etag: str, size: int) -> EventId:
    """The id of `upload.completed` for one stored object: the same whoever announces it (client, bucket, webhook, scan)."""
    return EventId(uuid5(NAMESPACE, "\0".join(("upload.completed", bucket, key, etag.strip('"'), str(size)))))


def derived_event_id(parent: EventId, stage: str, event_type: str, index: int = 0) -> EventId:
    """The id of the `index`-th event of a type that `stage` answers `parent` with."""
    return EventId(uuid5(NAMESPACE, "\0".join((str(parent), stage, event_type, str(index)))))
