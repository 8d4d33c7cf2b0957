"""The vector index as everything else sees it. No vendor's type leaves the two implementations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Point:
    """One vector. `payload` holds `stream_id`, `video_id` (strings) and `t` (seconds); values are JSON scalars."""

    id: UUID
    vector: Sequence[float]
    payload: Mapping[str, str | float | int | bool]


@dataclass(frozen=True, slots=True)
class Hit:
    """A point found. `score` is the cosine similarity, -1..1."""

    id: UUID
    score: float
    payload: Mapping[str, str | float | int | bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """All given conditions must hold. A value list means any of them; `exclude` means none of them. So an empty list in
    `match` holds for no point: who may see no stream finds nothing."""

    match: Mapping[str, Sequence[str]] | None = None
    exclude: Mapping[str, Sequence[str]] | None = None


class VectorIndex(Protocol):
    """Collections of vectors of one dimension, cosine distance. Every implementation passes tests/contract/test_vector_index.py.

    Errors: `Permanent` for a wrong dimension, a value that is not finite or an unknown collection (nothing of the batch is
    stored); `Outage` where the engine does not answer.
    """

    async def ensure_collection(self, name: str, dimension: int, *, keyword_fields: Sequence[str]) -> None:
        """Make the collection where it is missing. `keyword_fields` are the payload fields that searches filter on; the
        first is the tenant: nearly every search names it."""
        ...

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Store points, replacing those of the same ids. Once this returns, a killed engine does not lose them."""
        ...

    async def search(
        self, name: str, vector: Sequence[float], *, limit: int, where: Filter | None = None
    ) -> list[Hit]: ...
    async def search_many(
        self, name: str, vectors: Sequence[Sequence[float]], *, limit: int, where: Filter | None = None
    ) -> list[list[Hit]]: ...
    async def vectors_of(self, name: str, where: Filter, *, limit: int = 10_000) -> list[Point]:
        """Stored points with their (normalised) vectors, ordered by payload `t`."""
        ...

    async def delete(self, name: str, where: Filter) -> None:
        """Remove what matches. `Permanent` for a filter without any condition."""
        ...

    async def count(self, name: str, where: Filter | None = None) -> int: ...
    async def check(self) -> None: ...
    async def close(self) -> None: ...
