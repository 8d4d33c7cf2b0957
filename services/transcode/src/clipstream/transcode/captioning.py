"""The stage that joins captions to a clip's manifests once its speech has been heard.

Transcoding and speech to text run side by side, and either may end first. This stage sees to it where the pictures were
first; where the words were, whoever assembles the clip finds them (publishing/publish.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from clipstream.common.contracts.events import ClipCaptioned, ClipTranscribed
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.transcode.manifests.captions import captions_of
from clipstream.transcode.publishing import assembled
from clipstream.transcode.publishing.publish import publish_entrances


def build() -> StageSpec[ClipTranscribed]:
    """It always answers: a clip that is not assembled yet is captioned by its assembler, one in which nobody spoke has no
    captions, and loses those that an earlier hearing gave it."""

    async def handle(event: ClipTranscribed, context: StageContext) -> Sequence[ClipCaptioned]:
        captions = captions_of(event.segments, event.language)
        output = await assembled.find(context.store, event.video_id)
        if output is not None:
            await publish_entrances(context.store, event.video_id, output, captions)
        joined = output is not None and captions is not None
        return [ClipCaptioned(video_id=event.video_id, stream_id=event.stream_id, joined=joined)]

    return StageSpec(name="captions", consumes=ClipTranscribed, emits=(ClipCaptioned,), handler=handle)
