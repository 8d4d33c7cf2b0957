"""What object stores say when an object was stored: MinIO, AWS S3 and Ceph RGW in their own dialects, as hints where to look.

Pure: text in, hints out. https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

CREATED = frozenset({"Put", "Post", "Copy", "CompleteMultipartUpload"})
"""Kinds of `ObjectCreated` after which the content is new. Tagging and retention are announced under that name, too."""


class Malformed(ValueError):
    """This is no notification of an object store."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """An object that is said to exist. `etag` and `size_bytes` may be missing, and none of it is to be believed."""

    bucket: str
    key: str
    etag: str | None = None
    size_bytes: int | None = None


def announced(body: bytes) -> list[Announcement]:
    """The created objects that a notification names; none for removals, tagging and test messages."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from error
    if not isinstance(message, Mapping):
        raise Malformed("not an object")
    if message.get("Event") == "s3:TestEvent":  # AWS sends one when notifications are set up
        return []
    if message.get("detail-type") == "Object Created":  # AWS EventBridge
        return list(_from_event_bridge(message))
    records = message.get("Records")
    if not isinstance(records, list):
        raise Malformed("it has no Records")
    return [hint for record in records if isinstance(record, Mapping) for hint in _from_record(record)]


def _from_record(record: Mapping[str, Any]) -> Iterator[Announcement]:
    kind, _, how = str(record.get("eventName", "")).removeprefix("s3:").partition(":")
    if kind != "ObjectCreated" or how not in CREATED:
        return
    s3 = _mapping(record, "s3")
    stored = _mapping(s3, "object")
    key = _text(stored, "key")
    # Ceph alone sends keys as they are; the others encode them as HTML forms do, where "+" is a space.
    raw = record.get("eventSource") == "ceph:s3"
    yield Announcement(
        bucket=_text(_mapping(s3, "bucket"), "name"),
        key=key if raw else unquote_plus(key),
        etag=_etag(stored.get("eTag", stored.get("etag"))),
        size_bytes=_size(stored.get("size")),
    )


def _from_event_bridge(message: Mapping[str, Any]) -> Iterator[Announcement]:
    detail = _mapping(message, "detail")
    stored = _mapping(detail, "object")
    yield Announcement(
        bucket=_text(_mapping(detail, "bucket"), "name"),
        key=_text(stored, "key"),
        etag=_etag(stored.get("etag")),
        size_bytes=_size(stored.get("size")),
    )


def _mapping(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    if not isinstance(value, Mapping):
        raise Malformed(f"it has no {name}")
    return value


def _text(of: Mapping[str, Any], name: str) -> str:
    value = of.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"it has no {name}")
    return value


def _etag(value: object) -> str | None:
    return value.strip('"') or None if isinstance(value, str) else None


def _size(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
