"""What webhooks say, and to whom: the events of a clip's life, in the shape of Standard Webhooks or of Discord.

A delivery is written in the transaction that changed the clip, once per webhook, event and clip, with an id that follows
from those three. Receivers know a repeated one by that id.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args
from uuid import UUID, uuid5

from asyncpg import Connection
from pydantic import BaseModel

from clipstream.common.contracts.ids import NAMESPACE
from clipstream.gateway.clip import Clip
from clipstream.gateway.playing import original_of
from clipstream.gateway.repository import deliveries, videos, webhooks
from clipstream.gateway.signing import derive_key

WebhookEvent = Literal["video.playable", "video.ready", "video.failed", "video.duplicate"]
EVENTS: tuple[WebhookEvent, ...] = get_args(WebhookEvent)
TEST = "webhook.test"
NO_VIDEO = UUID(int=0)  # what a test is about


class Told(BaseModel):
    """What an event is about. `url` is the clip's place on the web, where the operator has told the address."""

    stream_id: UUID
    video_id: UUID | None = None
    title: str
    status: str | None = None
    duration: float | None = None
    uploaded_by: str | None = None
    error: str | None = None
    original_id: UUID | None = None
    url: str | None = None


class Message(BaseModel):
    """The body of a webhook: https://github.com/standard-webhooks/standard-webhooks, "Payload structure"."""

    type: str
    timestamp: datetime
    data: Told


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a clip was, to be compared with how far it is."""

    status: str
    playable: bool

    @classmethod
    def of(cls, clip: Clip) -> Standing:
        return cls(clip.status, clip.playable_at is not None)


def news(before: Standing, after: Standing) -> Iterator[WebhookEvent]:
    """What has become true from one standing to the next."""
    if after.playable and not before.playable:
        yield "video.playable"
    if after.status == before.status:
        return
    if after.status == "ready":
        yield "video.ready"
    elif after.status in ("failed", "rejected"):
        yield "video.failed"
    elif after.status == "duplicate":
        yield "video.duplicate"


async def tell(connection: Connection, clip: Clip, before: Standing) -> None:
    """Inside the transaction that saved the clip: write what its stream's webhooks are to hear of the change."""
    for event in news(before, Standing.of(clip)):
        listening = await webhooks.listening(connection, clip.stream_id, event)
        if not listening:
            continue
        payload = (await _message(connection, clip, event)).model_dump_json()
        for webhook_id in listening:
            await deliveries.add(
                connection,
                uuid5(NAMESPACE, f"delivery {webhook_id} {event} {clip.id}"),
                webhook_id=webhook_id,
                event=event,
                video_id=clip.id,
                payload=payload,
            )


async def _message(connection: Connection, clip: Clip, event: WebhookEvent) -> Message:
    row = await videos.by_id(connection, clip.id)
    original = None if row is None else await original_of(connection, row)
    told = Told(
        stream_id=clip.stream_id,
        video_id=clip.id,
        title="" if row is None else row["title"],
        status=clip.status,
        duration=clip.duration_s,
        uploaded_by=None if row is None else row["uploader_name"],
        error=clip.error,
        original_id=None if original is None else original["id"],
    )
    return Message(type=event, timestamp=datetime.now(UTC), data=told)


def trial(stream_id: UUID) -> Message:
    return Message(
        type=TEST, timestamp=datetime.now(UTC), data=Told(stream_id=stream_id, title="A test of this webhook")
    )


class Secrets:
    """The secret of each webhook follows from its id, so that none is stored."""

    def __init__(self, secret: str) -> None:
        self._key = derive_key(secret, "webhook")

    def of(self, webhook_id: UUID) -> str:
        """As receivers' libraries want it: `whsec_` and 32 bytes in base64."""
        return f"whsec_{base64.b64encode(self._raw(webhook_id)).decode()}"

    def sign(self, webhook_id: UUID, message_id: str, timestamp: int, body: bytes) -> str:
        """The `webhook-signature` header."""
        signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
        mac = hmac.digest(self._raw(webhook_id), signed, hashlib.sha256)
        return f"v1,{base64.b64encode(mac).decode()}"

    def _raw(self, webhook_id: UUID) -> bytes:
        return hmac.digest(self._key, webhook_id.bytes, hashlib.sha256)
