"""What the operator reads: how the pipeline did lately, and what lies where."""

from __future__ import annotations

from uuid import UUID

from asyncpg import Record
from pydantic import BaseModel, Field

from clipstream.common.contracts.events import Stage
from clipstream.gateway.access import Access
from clipstream.gateway.clip import STAGES
from clipstream.gateway.repository import stats, storage
from clipstream.gateway.repository.stats import Lately
from clipstream.gateway.routes.api import Call, Query, RouteTable

table = RouteTable("operator")


class Throughput(BaseModel):
    """Videos that came and were finished, and how many seconds of clip those were."""

    uploaded_last_hour: int
    uploaded_last_day: int
    ready_last_hour: int
    ready_last_day: int
    clip_seconds_last_hour: float
    clip_seconds_last_day: float


class Percentiles(BaseModel):
    """Seconds."""

    p50: float
    p95: float
    p99: float


class StageStats(BaseModel):
    """One stage. `latency` is the time at work, `wait` the time before it, of the newest thousand of the last day;
    `repeated_last_day` counts attempts after the first, `retries` what operators had tried again."""

    stage: Stage
    done_last_hour: int
    done_last_day: int
    failed_last_hour: int
    failed_last_day: int
    failed: int
    repeated_last_day: int
    retries: int
    latency: Percentiles | None
    wait: Percentiles | None


class Stats(BaseModel):
    throughput: Throughput
    failures: int
    retries: int
    stages: list[StageStats]


class StorageQuery(Query):
    limit: int = Field(default=50, ge=1, le=100, description="how many streams and users, the largest first")


class PrefixUse(BaseModel):
    prefix: str
    objects: int
    size_bytes: int


class Use(BaseModel):
    """Bytes of originals, and of what was made of them."""

    id: UUID
    name: str
    video_count: int
    original_bytes: int
    made_bytes: int
    total_bytes: int


class Storage(BaseModel):
    """Bytes. The three spaces are those of the disk, null where the store cannot say (S3). `prefixes` are counted in the
    background: `counted_s_ago` is their age, both null before the first count has ended."""

    total_space: int | None
    used_space: int | None
    free_space: int | None
    video_count: int
    original_bytes: int
    made_bytes: int
    prefixes: list[PrefixUse] | None
    counted_s_ago: float | None
    streams: list[Use]
    users: list[Use]


@table.route("GET", "/processing/stats", access=Access.SITE_ADMIN, scope="admin")
async def get_stats(call: Call) -> Stats:
    """How much the pipeline did in the last hour and day, how long it took, and what failed"""
    lately = await stats.lately(call.services.pool)
    total = lately.throughput
    stages = [_stage(stage, lately) for stage in STAGES]
    return Stats(
        throughput=Throughput(
            uploaded_last_hour=total["uploaded_hour"],
            uploaded_last_day=total["uploaded_day"],
            ready_last_hour=total["ready_hour"],
            ready_last_day=total["ready_day"],
            clip_seconds_last_hour=round(total["seconds_hour"], 1),
            clip_seconds_last_day=round(total["seconds_day"], 1),
        ),
        failures=sum(stage.failed for stage in stages),
        retries=sum(stage.retries for stage in stages),
        stages=stages,
    )


def _stage(stage: Stage, lately: Lately) -> StageStats:
    pace, failures = lately.paces.get(stage), lately.failures.get(stage)
    return StageStats(
        stage=stage,
        done_last_hour=pace["done_hour"] if pace else 0,
        done_last_day=pace["done_day"] if pace else 0,
        failed_last_hour=failures["failed_hour"] if failures else 0,
        failed_last_day=failures["failed_day"] if failures else 0,
        failed=failures["failed"] if failures else 0,
        repeated_last_day=failures["repeated_day"] if failures else 0,
        retries=failures["retries"] if failures else 0,
        latency=_percentiles(pace, "worked"),
        wait=_percentiles(pace, "waited"),
    )


def _percentiles(pace: Record | None, name: str) -> Percentiles | None:
    """None where nothing was measured: a stage that ended before anybody saw it begin."""
    values = pace[name] if pace else None
    if values is None or values[0] is None:
        return None
    p50, p95, p99 = (round(value, 3) for value in values)
    return Percentiles(p50=p50, p95=p95, p99=p99)


@table.route("GET", "/system/storage", access=Access.SITE_ADMIN, scope="admin")
async def get_storage(call: Call, query: StorageQuery) -> Storage:
    """How full the store is, and of what"""
    services = call.services
    space = await services.store.space()
    count = await services.survey.look()
    total = await storage.total(services.pool)
    return Storage(
        total_space=None if space is None else space.total_bytes,
        used_space=None if space is None else space.used_bytes,
        free_space=None if space is None else space.free_bytes,
        **dict(total),
        prefixes=None
        if count is None
        else [
            PrefixUse(prefix=prefix, objects=held.objects, size_bytes=held.size_bytes)
            for prefix, held in count.prefixes.items()
        ],
        counted_s_ago=None if count is None else round(count.age_s, 1),
        streams=[_use(row) for row in await storage.by_stream(services.pool, query.limit)],
        users=[_use(row) for row in await storage.by_user(services.pool, query.limit)],
    )


def _use(row: Record) -> Use:
    return Use(**dict(row), total_bytes=row["original_bytes"] + row["made_bytes"])
