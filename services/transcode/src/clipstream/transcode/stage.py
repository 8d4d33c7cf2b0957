"""Joins transcoding to events and object keys. Decoding and encoding happen in processor.py, in a caged child."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from clipstream.common.contracts import keys
from clipstream.common.contracts.events import ClipTranscoded, ClipUnique
from clipstream.common.stage.context import Limits, StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.transcode.plan import Recipe, plan_id
from clipstream.transcode.processor import transcode
from clipstream.transcode.publish import find_output, publish, store_package

LIMITS = Limits(wall=timedelta(minutes=100), cpu=timedelta(hours=12), memory_bytes=8 << 30, file_bytes=1 << 30)


def build(recipe: Recipe, *, slots: int = 1) -> StageSpec[ClipUnique]:
    """The stage that makes a clip playable by `recipe`."""

    async def handle(event: ClipUnique, context: StageContext) -> Sequence[ClipTranscoded]:
        plan = plan_id(recipe.ladder, recipe.preset, event.etag)
        output = await find_output(context.store, event.video_id, plan)
        if output is None:
            package = await context.isolate(transcode, source=event.key, limits=LIMITS, recipe=recipe)
            output = await store_package(context.store, event.video_id, plan, context.run_id, package, context.scratch)
        hls_key = await publish(context.store, event.video_id, plan, output)
        return [
            ClipTranscoded(
                video_id=event.video_id,
                stream_id=event.stream_id,
                run_id=output.run_id,
                hls_key=hls_key,
                thumbnail_key=keys.thumbnail(event.video_id),
                renditions=output.renditions,
                duration_s=output.duration_s,
                stored_bytes=output.stored_bytes,
            )
        ]

    return StageSpec(name="transcode", consumes=ClipUnique, emits=(ClipTranscoded,), handler=handle, slots=slots)
