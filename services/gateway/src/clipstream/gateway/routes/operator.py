"""The operator's view of the pipeline, and the operator's hands on it."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, model_validator

from clipstream.common.contracts.events import Stage
from clipstream.common.errors import NotFound
from clipstream.gateway import views
from clipstream.gateway.access import Access
from clipstream.gateway.clip import STAGES
from clipstream.gateway.estimates import UNKNOWN, in_words, queue_left_s
from clipstream.gateway.interventions import NotPossible
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import queue, videos
from clipstream.gateway.repository.queue import Load
from clipstream.gateway.routes.api import Body, Call, RouteTable
from clipstream.gateway.routes.paging import PageQuery
from clipstream.gateway.views import Processing

T = TypeVar("T")

table = RouteTable("operator")
JobState = Literal["queued", "running", "failed"]
JOB_STATES: tuple[JobState, ...] = ("running", "queued", "failed")
_NOTHING = Load(queued=0, running=0, failed=0, oldest_s=None, known_s=0, unknown=0)
_REFUSALS = {404: "Video not found", 409: "Not possible now"}


class CurrentJob(BaseModel):
    video_id: UUID
    stage: Stage


class StageLoad(BaseModel):
    """One stage's work. `oldest_s`: how long the first in the queue has waited; `workers`: consumers that the broker counts,
    null where it does not say; `estimated_wait_s`: until all of it is done."""

    stage: Stage
    queued: int
    running: int
    failed: int
    oldest_s: float | None
    workers: int | None
    estimated_wait_s: float


class QueuedJob(BaseModel):
    """One stage of one video. `since`: when it got into this state; `retries`: how often an operator had it tried again."""

    video_id: UUID
    stream_id: UUID
    title: str
    stage: Stage
    state: JobState
    progress: float
    attempts: int
    retries: int
    error: str | None
    since: datetime | None


class Queue(BaseModel):
    """Everything that waits or runs. `queue_length` counts what waits; `current_job` is at work for the longest."""

    queue_length: int
    running: int
    failed: int
    current_job: CurrentJob | None
    estimated_wait: str
    estimated_wait_s: float
    stages: list[StageLoad]
    jobs: list[QueuedJob]
    next_cursor: str | None


class QueueQuery(PageQuery):
    state: JobState | None = None
    stage: Stage | None = None


class RetryOrder(Body):
    """One video, or one stage of it; one stage of all videos; or `all` that failed."""

    video_id: UUID | None = None
    stage: Stage | None = None
    all: bool = False

    @model_validator(mode="after")
    def _one_of(self) -> RetryOrder:
        if self.all == (self.video_id is not None or self.stage is not None):
            raise ValueError("name a video_id, a stage, both, or all alone")
        return self


class CancelOrder(Body):
    video_id: UUID
    stage: Stage | None = None


class SkipOrder(Body):
    video_id: UUID
    stage: Stage


class RetriedJob(BaseModel):
    video_id: UUID
    stage: Stage


class Retried(BaseModel):
    """What is tried again. `more`: there was more than one call takes; ask again."""

    retried: int
    jobs: list[RetriedJob]
    more: bool = False


@table.route("GET", "/processing/queue", access=Access.SITE_ADMIN, scope="admin")
async def get_queue(call: Call, query: QueueQuery) -> Queue:
    """What the pipeline has to do, stage by stage and job by job"""
    pool = call.services.pool
    loads = await queue.loads(pool)
    current = await queue.current(pool)
    states = JOB_STATES if query.state is None else (query.state,)
    rows = await queue.jobs(pool, states=states, stage=query.stage, limit=query.one_more, after=query.after)
    stages = await _stages(call, loads)
    wait_s = max(stage.estimated_wait_s for stage in stages)
    return Queue(
        queue_length=sum(load.queued for load in loads.values()),
        running=sum(load.running for load in loads.values()),
        failed=sum(load.failed for load in loads.values()),
        current_job=None if current is None else CurrentJob(**dict(current)),
        estimated_wait=in_words(wait_s) if wait_s else "none",
        estimated_wait_s=wait_s,
        stages=stages,
        jobs=[QueuedJob(**dict(row)) for row in query.shown(rows)],
        next_cursor=query.next_cursor(rows),
    )


async def _stages(call: Call, loads: queue.Loads) -> list[StageLoad]:
    paces = await call.services.estimates.paces()
    workers = await call.services.workers.counted()
    found = []
    for stage in STAGES:
        load = loads.get(stage, _NOTHING)
        wait_s = queue_left_s(load, paces.get(stage, UNKNOWN), workers.get(stage))
        found.append(
            StageLoad(
                stage=stage,
                queued=load.queued,
                running=load.running,
                failed=load.failed,
                oldest_s=None if load.oldest_s is None else round(load.oldest_s, 1),
                workers=workers.get(stage),
                estimated_wait_s=round(wait_s, 1),
            )
        )
    return found


@table.route("POST", "/admin/processing/retry", access=Access.SITE_ADMIN, scope="admin", errors=_REFUSALS)
async def retry_processing(call: Call, body: RetryOrder) -> Retried:
    """Have failed work tried again: of one video, of one stage, or all of it. What runs already is left alone"""
    interventions, more = call.services.interventions, False
    if body.video_id is None:
        jobs, more = await interventions.retry_failed(body.stage)
    else:
        jobs = await possible(interventions.retry(body.video_id, body.stage))
    return Retried(
        retried=len(jobs), jobs=[RetriedJob(video_id=job.video_id, stage=job.stage) for job in jobs], more=more
    )


@table.route("POST", "/admin/processing/cancel", access=Access.SITE_ADMIN, scope="admin", errors=_REFUSALS)
async def cancel_processing(call: Call, body: CancelOrder) -> Processing:
    """End a video's processing as failed, or one stage of it, and stop the workers that are at it"""
    if body.stage is None:
        await possible(call.services.interventions.cancel(body.video_id))
    else:
        await possible(call.services.interventions.cancel_stage(body.video_id, body.stage))
    return await processing(call, body.video_id)


@table.route("POST", "/admin/processing/skip", access=Access.SITE_ADMIN, scope="admin", errors=_REFUSALS)
async def skip_stage(call: Call, body: SkipOrder) -> Processing:
    """Have a video do without its speech or its pictures being searched"""
    await possible(call.services.interventions.skip(body.video_id, body.stage))
    return await processing(call, body.video_id)


async def possible(intervention: Awaitable[T]) -> T:
    """Its result, or the refusal that its error means."""
    try:
        return await intervention
    except NotFound as error:
        raise Problem(404, "Video not found") from error
    except NotPossible as error:
        raise Problem(409, "Not possible now", [str(error)]) from error


async def processing(call: Call, video_id: UUID) -> Processing:
    """Where the video is now."""
    row = await videos.by_id(call.services.pool, video_id)
    if row is None:
        raise Problem(404, "Video not found")
    return await views.processing(call.services.pool, call.services.estimates, row)
