"""A Qdrant server by its URL. The only file that knows its client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from pydantic import SecretStr
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from clipstream.common.errors import ClipstreamError, Outage, Permanent
from clipstream.common.vectors import checks
from clipstream.common.vectors.index import Filter, Hit, Point

_AT_ONCE = 256
_SCROLL = 1000


class QdrantIndex:
    """Implements `VectorIndex`. Takes any client of the library: tests hand in one without a server."""

    def __init__(self, client: AsyncQdrantClient) -> None:
        self._client = client
        self._dimensions: dict[str, int] = {}

    @classmethod
    def at(cls, url: str, api_key: SecretStr | None) -> QdrantIndex:
        key = api_key.get_secret_value() if api_key else None
        return cls(AsyncQdrantClient(url=url, api_key=key, timeout=60, check_compatibility=False))

    async def ensure_collection(self, name: str, dimension: int, *, keyword_fields: Sequence[str]) -> None:
        checks.check_collection(name, dimension, keyword_fields)
        with _translated(name):
            if not await self._client.collection_exists(name):
                await self._create(name, dimension)
            if (known := await self._dimension(name)) != dimension:
                raise Permanent(f"The collection {name} has {known} dimensions, not {dimension}.")
            for field in keyword_fields:
                index = models.KeywordIndexParams(
                    type=models.KeywordIndexType.KEYWORD, is_tenant=field == keyword_fields[0]
                )
                await self._client.create_payload_index(name, field, field_schema=index, wait=True)

    async def _create(self, name: str, dimension: int) -> None:
        config = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
        try:
            await self._client.create_collection(name, vectors_config=config)
        except UnexpectedResponse:
            if not await self._client.collection_exists(name):  # else somebody made it at the same moment
                raise

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        checks.check_points(points, await self._dimension(name))
        with _translated(name):
            for start in range(0, len(points), _AT_ONCE):
                made = [
                    models.PointStruct(id=str(point.id), vector=list(point.vector), payload=dict(point.payload))
                    for point in points[start : start + _AT_ONCE]
                ]
                await self._client.upsert(name, made, wait=True)

    async def search(self, name: str, vector: Sequence[float], *, limit: int, where: Filter | None = None) -> list[Hit]:
        return (await self.search_many(name, [vector], limit=limit, where=where))[0]

    async def search_many(
        self, name: str, vectors: Sequence[Sequence[float]], *, limit: int, where: Filter | None = None
    ) -> list[list[Hit]]:
        dimension = await self._dimension(name)
        checks.check_limit(limit)
        for vector in vectors:
            checks.check_vector(vector, dimension)
        if not vectors or checks.matches_nothing(where):
            return [[] for _ in vectors]
        wanted = _filter(where)
        queries = [
            models.QueryRequest(query=list(vector), limit=limit, filter=wanted, with_payload=True) for vector in vectors
        ]
        with _translated(name):
            answers = await self._client.query_batch_points(name, queries)
        return [
            [Hit(UUID(str(found.id)), found.score, found.payload or {}) for found in answer.points]
            for answer in answers
        ]

    async def vectors_of(self, name: str, where: Filter, *, limit: int = checks.MAX_LIMIT) -> list[Point]:
        await self._dimension(name)
        checks.check_limit(limit)
        if checks.matches_nothing(where):
            return []
        points: list[Point] = []
        offset: Any = None
        with _translated(name):
            while True:
                records, offset = await self._client.scroll(
                    name, _filter(where), limit=_SCROLL, offset=offset, with_payload=True, with_vectors=True
                )
                points += [_point(record) for record in records]
                if offset is None:
                    return sorted(points, key=checks.by_time)[:limit]

    async def delete(self, name: str, where: Filter) -> None:
        await self._dimension(name)
        checks.check_deletion(where)
        if not checks.matches_nothing(where):
            with _translated(name):
                selector = models.FilterSelector(filter=_filter(where) or models.Filter())
                await self._client.delete(name, selector, wait=True)

    async def count(self, name: str, where: Filter | None = None) -> int:
        await self._dimension(name)
        if checks.matches_nothing(where):
            return 0
        with _translated(name):
            return (await self._client.count(name, count_filter=_filter(where), exact=True)).count

    async def check(self) -> None:
        with _translated("any"):
            await self._client.get_collections()

    async def close(self) -> None:
        await self._client.close()

    async def _dimension(self, name: str) -> int:
        checks.check_name(name)
        if name not in self._dimensions:
            with _translated(name):
                told = (await self._client.get_collection(name)).config.params.vectors
            if not isinstance(told, models.VectorParams):
                raise Permanent(f"The collection {name} was not made by Clipstream: its vectors have names.")
            self._dimensions[name] = told.size
        return self._dimensions[name]


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except ClipstreamError:
        raise
    except UnexpectedResponse as error:
        raise _of_status(error, name) from error
    except (ResponseHandlingException, ApiException, OSError) as error:
        raise Outage(f"The Qdrant server does not answer ({error}).") from error
    except ValueError as error:  # the library's local mode
        raise Permanent(f"The collection {name} does not take this ({error}).") from error


def _of_status(error: UnexpectedResponse, name: str) -> ClipstreamError:
    status = error.status_code or 500
    if status == 404:
        return Permanent(f"There is no collection {name}.")
    if status in (401, 403):
        return Outage("The Qdrant server refuses our key; check QDRANT_API_KEY.")
    if 400 <= status < 500 and status not in (408, 429):
        return Permanent(
            f"The Qdrant server refuses the request for {name} ({error.content.decode(errors='replace')})."
        )
    return Outage(f"The Qdrant server cannot serve us at the moment (status {status}).")


def _point(record: models.Record) -> Point:
    vector = record.vector
    if not isinstance(vector, list):
        raise Permanent(f"The point {record.id} was not made by Clipstream: it has no plain vector.")
    return Point(UUID(str(record.id)), [float(value) for value in vector], record.payload or {})  # type: ignore[arg-type]


def _filter(where: Filter | None) -> models.Filter | None:
    match, exclude = checks.conditions(where)
    if not match and not exclude:
        return None
    return models.Filter(must=_conditions(match), must_not=_conditions(exclude))


def _conditions(values: dict[str, list[str]]) -> list[Any]:
    return [models.FieldCondition(key=name, match=models.MatchAny(any=some)) for name, some in values.items()]
