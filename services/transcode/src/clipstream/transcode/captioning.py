"""The stage that joins captions to a clip's manifests once its speech has been heard.

Transcoding and speech to text run side by side, and either may end first. This stage sees to it where the pictures were
first; where the words were, whoever assembles the clip finds them by `find_captions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Transcript
from clipstream.common.contracts.events import ClipCaptioned, ClipTranscribed
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import NotFound
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.captions import Captions, captions_of

A = TypeVar("A")

_TRANSCRIPT_LIMIT = 64 << 20


class Assembly(Protocol[A]):
    """Where finished clips are found and written again."""

    async def find(self, store: ObjectStore, video_id: VideoId) -> A | None:
        """The clip as its parts made it, or None while they are not all there."""
        ...

    async def publish(self, store: ObjectStore, video_id: VideoId, assembled: A, captions: Captions | None) -> None:
        """Write what players are pointed at, the multivariant playlist last. Repeatable."""
        ...


def build(assembly: Assembly[A]) -> StageSpec[ClipTranscribed]:
    """It always answers: a clip that is not assembled yet is captioned by its assembler, one in which nobody spoke has no
    captions, and loses those that an earlier hearing gave it."""

    async def handle(event: ClipTranscribed, context: StageContext) -> Sequence[ClipCaptioned]:
        captions = captions_of(event.segments, event.language)
        assembled = await assembly.find(context.store, event.video_id)
        if assembled is not None:
            await assembly.publish(context.store, event.video_id, assembled, captions)
        joined = assembled is not None and captions is not None
        return [ClipCaptioned(video_id=event.video_id, stream_id=event.stream_id, joined=joined)]

    return StageSpec(name="captions", consumes=ClipTranscribed, emits=(ClipCaptioned,), handler=handle)


async def find_captions(store: ObjectStore, video_id: VideoId) -> Captions | None:
    """The captions of a clip whose speech has been heard already. The transcript is written after them."""
    try:
        raw = await store.get(keys.transcript(video_id), limit=_TRANSCRIPT_LIMIT)
    except NotFound:
        return None
    transcript = Transcript.model_validate_json(raw)
    return captions_of(len(transcript.segments), transcript.language)
