"""How long what is left of a clip will take, from how long the same stages took lately."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from asyncpg import Pool

from clipstream.common.contracts.events import Stage
from clipstream.gateway.repository import stages
from clipstream.gateway.repository.queue import Load
from clipstream.gateway.repository.stages import Pace

FRESH_S = 30.0
UNKNOWN = Pace(seconds=10.0, per_second=1.0)  # before anything has been measured: about as long as the clip
CHAINS: tuple[tuple[Stage, ...], ...] = (("transcode",), ("stt", "search_text"), ("embed", "search_vectors"))


class Row(Protocol):
    """A stage as it stands."""

    @property
    def state(self) -> str: ...
    @property
    def progress(self) -> float: ...


class Estimates:
    """Paces of the stages, looked up at most every half minute."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._paces: dict[Stage, Pace] = {}
        self._read_at = -FRESH_S

    async def paces(self) -> Mapping[Stage, Pace]:
        if time.monotonic() - self._read_at >= FRESH_S:
            self._read_at = time.monotonic()
            self._paces = await stages.pace(self._pool)
        return self._paces


def stage_left_s(row: Row, pace: Pace, duration_s: float | None) -> float:
    """Seconds of work left in one stage."""
    if row.state not in ("queued", "running"):
        return 0.0
    whole = pace.seconds if duration_s is None else max(pace.per_second * duration_s, 1.0)
    return whole * (1.0 - min(max(row.progress, 0.0), 1.0))


def clip_left_s(rows: Mapping[Stage, Row], paces: Mapping[Stage, Pace], duration_s: float | None) -> float:
    """Seconds until the clip is ready if all its stages had a worker now: the longest of the parallel chains."""

    def left(stage: Stage) -> float:
        return stage_left_s(rows[stage], paces.get(stage, UNKNOWN), duration_s)

    return left("ingest") + left("dedupe") + max(sum(left(stage) for stage in chain) for chain in CHAINS)


def queue_left_s(load: Load, pace: Pace, workers: int | None) -> float:
    """Seconds until one stage has done all that it has before it; at least one worker is reckoned with."""
    work = pace.per_second * load.known_s + pace.seconds * load.unknown
    return work / max(workers or 1, 1)


def in_words(seconds: float) -> str:
    """`5 minutes`, as people say it."""
    if seconds < 60:
        count, unit = max(round(seconds), 1), "second"
    elif seconds < 3600:
        count, unit = round(seconds / 60), "minute"
    elif seconds < 86400:
        count, unit = round(seconds / 3600), "hour"
    else:
        count, unit = round(seconds / 86400), "day"
    return f"{count} {unit}{'' if count == 1 else 's'}"
