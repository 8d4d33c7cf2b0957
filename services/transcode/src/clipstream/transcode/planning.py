"""Stage `transcode`, first half: decides what is to be made of a clip, and asks for its parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from clipstream.common.contracts import keys
from clipstream.common.contracts.documents import Probe
from clipstream.common.contracts.events import ClipAdmitted, LongPartPlanned, PartPlanned
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import Conflict
from clipstream.common.stage.context import StageContext
from clipstream.common.stage.spec import StageSpec
from clipstream.common.store.objects import ObjectStore
from clipstream.transcode.copying.kept import ensure_copy
from clipstream.transcode.plan import Recipe, plan_clip
from clipstream.transcode.planned import Plan

LONG_S = 60.0
"""Parts of clips above this wait in the lane for long ones."""

_PLAN_LIMIT = 16 << 20


def build(recipe: Recipe, *, copy_bit_rate: int) -> StageSpec[ClipAdmitted]:
    """The stage that plans a clip by `recipe`."""

    async def handle(event: ClipAdmitted, context: StageContext) -> Sequence[PartPlanned]:
        copied = await ensure_copy(context, event, copy_bit_rate)
        probe = Probe.model_validate_json(await context.store.get(event.probe_key))
        plan = plan_clip(probe, copied.made, recipe, key=event.key, etag=event.etag, copy_id=copied.copy_id)
        return parts_of(await keep(context.store, event.video_id, plan), event)

    return StageSpec(
        name="transcode",
        consumes=ClipAdmitted,
        emits=(PartPlanned, LongPartPlanned),
        handler=handle,
        ack_timeout=timedelta(minutes=30),
    )


def parts_of(plan: Plan, event: ClipAdmitted | PartPlanned) -> list[PartPlanned]:
    """One event for each part, in the order in which they are best made."""
    kind = LongPartPlanned if plan.duration_s > LONG_S else PartPlanned
    return [
        kind(video_id=event.video_id, stream_id=event.stream_id, plan=plan.plan_id, part=part, parts=plan.parts)
        for part in range(plan.parts)
    ]


async def keep(store: ObjectStore, video_id: VideoId, plan: Plan) -> Plan:
    """Write the plan down, unless it was before: then that one holds."""
    key = _plan_key(video_id, plan.plan_id)
    try:
        await store.put(key, plan.model_dump_json().encode(), content_type="application/json", if_absent=True)
    except Conflict:
        return await find(store, video_id, plan.plan_id)
    return plan


async def find(store: ObjectStore, video_id: VideoId, plan_id: str) -> Plan:
    """The plan that a part belongs to. `NotFound` where somebody has removed it."""
    return Plan.model_validate_json(await store.get(_plan_key(video_id, plan_id), limit=_PLAN_LIMIT))


def _plan_key(video_id: VideoId, plan_id: str) -> keys.ObjectKey:
    return keys.segments(video_id, plan_id, "plan.json")
