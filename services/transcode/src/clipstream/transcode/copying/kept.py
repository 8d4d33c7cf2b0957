"""Finds or makes the copy of a source. Whoever needs it asks here: the preview stage, and planning where that came first."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

from pydantic import BaseModel, ConfigDict

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipAdmitted, ClipIngested
from clipstream.common.contracts.ids import VideoId
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import Conflict, NotFound, Permanent, Transient
from clipstream.common.stage.context import Limits, StageContext
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.copying.source import copy_source
from clipstream.transcode.made import SourceCopy
from clipstream.transcode.publishing.shelf import SegmentShelf

FORMAT = 1
"""Raised whenever the same source begins to give another copy, so that old and new segments never share a prefix."""

TRIES = 3

LIMITS = Limits(wall=timedelta(minutes=20), cpu=timedelta(minutes=10), memory_bytes=2 << 30, file_bytes=1 << 30)

_DOCUMENT = "copy.json"
_DOCUMENT_LIMIT = 64 << 20


class KeptCopy(BaseModel):
    """What lies in the store of a copy below `segments/{copy_id}/`, or why there is none."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    copy_id: str
    made: SourceCopy

    @property
    def playable(self) -> bool:
        return bool(self.made.tracks)


def copy_id(etag: str, most_bit_rate: int) -> str:
    """The name of a source's copy: everything that makes it another one goes in."""
    made = ["copy", FORMAT, etag.strip('"'), most_bit_rate]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()[:12]


async def find_copy(store: ObjectStore, video_id: VideoId, copy: str) -> KeptCopy | None:
    """What was found out about copying, by whoever was first."""
    try:
        body = await store.get(keys.segments(video_id, copy, _DOCUMENT), limit=_DOCUMENT_LIMIT)
    except NotFound:
        return None
    return KeptCopy.model_validate_json(body)


async def ensure_copy(context: StageContext, clip: ClipIngested | ClipAdmitted, most_bit_rate: int) -> KeptCopy:
    """The copy of the clip's source, made now if nobody has. Any number of callers may be at it at once: segments are the
    same to the byte or the first one's, and the document, which is written last, is everybody's answer."""
    copy = copy_id(clip.etag, most_bit_rate)
    if found := await find_copy(context.store, clip.video_id, copy):
        return found
    prefix = keys.segments(clip.video_id, copy)
    made = await _make(context, clip, prefix, copy, most_bit_rate)
    try:
        body = made.model_dump_json().encode()
        key = keys.segments(clip.video_id, copy, _DOCUMENT)
        await context.store.put(key, body, content_type="application/json", if_absent=True)
    except Conflict:
        made = await find_copy(context.store, clip.video_id, copy) or made
    if not made.playable:
        await _withdraw(context.store, prefix)
    return made


async def _make(
    context: StageContext, clip: ClipIngested | ClipAdmitted, prefix: ObjectKey, copy: str, most_bit_rate: int
) -> KeptCopy:
    shelf = SegmentShelf(context.store, prefix)
    try:
        made = await context.isolate(
            copy_source,
            source=clip.key,
            limits=LIMITS,
            take=shelf.take,
            media=clip.media,
            most_bit_rate=most_bit_rate,
        )
    except (Permanent, Transient) as reason:
        if not _final(reason, context.attempt):
            raise
        return KeptCopy(copy_id=copy, made=SourceCopy(verdict=f"The source cannot be played as it is. {reason}"))
    if not made.tracks:
        return KeptCopy(copy_id=copy, made=made)
    settled = {track.kind: track for track in await shelf.settle(made.tracks)}
    made = made.model_copy(update={"video": settled.get("video"), "audio": settled.get("audio")})
    return KeptCopy(copy_id=copy, made=made)


def _final(reason: Permanent | Transient, attempt: int) -> bool:
    """Whether this means that there will be no copy. A decoder that dies again and again is no reason not to encode."""
    if isinstance(reason, Permanent):
        return not isinstance(reason, NotFound)
    return type(reason) is Transient and attempt >= TRIES


async def _withdraw(store: ObjectStore, prefix: ObjectKey) -> None:
    """Remove what was emitted before a packet spoke against the copy; the document, which says why, stays."""
    left = [item.key async for item in store.list(prefix)]
    for key in left:
        if not key.endswith(_DOCUMENT):
            await store.delete(key)
