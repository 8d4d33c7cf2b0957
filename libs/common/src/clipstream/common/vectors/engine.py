"""Qdrant's engine over one directory, in this process: one shard for each collection. Synchronous, and every call holds the
interpreter's lock, so it has a process of its own (`edge_server`).

A shard's write-ahead log takes each change before it is acknowledged; a killed process replays it. Only a power cut can
take what came after the last `flush`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import qdrant_edge as edge

from clipstream.common.errors import Outage, Permanent
from clipstream.common.vectors import checks
from clipstream.common.vectors.index import Filter, Hit, Point

T = TypeVar("T")

_NEVER_INDEX = 1 << 40  # kB: exact search with the tenant's index answers in milliseconds up to several 100,000 points
_AT_ONCE = 256  # points written in one call, during which nobody else is served
_SCROLL = 1000


class EngineBroken(Outage):
    """The engine is in no state to go on. A new process reads its log and is whole again."""


@dataclass
class _Collection:
    """A shard and what its file `collection.json` says of it."""

    directory: Path
    dimension: int
    keyword_fields: list[str]
    shard: Any
    dirty: bool = False

    def write_description(self) -> None:
        draft = self.directory / "collection.json.draft"
        with draft.open("w") as file:
            json.dump({"dimension": self.dimension, "keyword_fields": self.keyword_fields}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.directory / "collection.json")


class Engine:
    """All collections in `directory`. `Outage` where another process has it open."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._collections: dict[str, _Collection] = {}
        with ExitStack() as stack:
            self._lock = stack.enter_context((directory / "lock").open("ab"))
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Outage(f"Another process has the vectors in {directory} open; only one may.") from None
            for draft in directory.glob("*.draft"):
                shutil.rmtree(draft)  # its making was interrupted, so nobody was told that it is there
            for description in sorted(directory.glob("*/collection.json")):
                self._load(description.parent)
            stack.pop_all()

    def _load(self, directory: Path) -> None:
        told = json.loads((directory / "collection.json").read_bytes())
        shard = _asked(lambda: edge.EdgeShard.load(str(directory / "shard")))
        _asked(shard.optimize)  # gives back what deletions left; quick, since no graph is built
        self._collections[directory.name] = _Collection(directory, told["dimension"], told["keyword_fields"], shard)

    def ensure(self, name: str, dimension: int, keyword_fields: Sequence[str]) -> None:
        checks.check_collection(name, dimension, keyword_fields)
        known = self._collections.get(name)
        if known is None:
            known = self._create(name, dimension)
        if known.dimension != dimension:
            raise Permanent(f"The collection {name} has {known.dimension} dimensions, not {dimension}.")
        missing = [field for field in keyword_fields if field not in known.keyword_fields]
        for field in missing:
            index = edge.KeywordIndexParams(is_tenant=field == keyword_fields[0])
            self._update(known, edge.UpdateOperation.create_field_index(field, index))
            known.keyword_fields.append(field)
        if missing:
            _asked(known.shard.flush)
            known.write_description()

    def _create(self, name: str, dimension: int) -> _Collection:
        draft = self._directory / f"{name}.draft"
        shutil.rmtree(draft, ignore_errors=True)
        (draft / "shard").mkdir(parents=True)
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(dimension, edge.Distance.Cosine),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=_NEVER_INDEX),
        )
        shard = _asked(lambda: edge.EdgeShard.create(str(draft / "shard"), config))
        _asked(shard.flush)
        _asked(shard.close)
        _Collection(draft, dimension, [], None).write_description()
        draft.rename(self._directory / name)
        self._load(self._directory / name)
        return self._collections[name]

    def check_points(self, name: str, points: Sequence[Point]) -> None:
        """Refuse the whole batch for one bad point: the engine itself would store those before it."""
        checks.check_points(points, self._collection(name).dimension)

    def slices(self, points: Sequence[Point]) -> list[Sequence[Point]]:
        """The batch cut into pieces after each of which others may be served."""
        return [points[start : start + _AT_ONCE] for start in range(0, len(points), _AT_ONCE)]

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """Store points that `check_points` has let pass."""
        made = [edge.Point(point.id, list(point.vector), dict(point.payload)) for point in points]
        self._update(self._collection(name), edge.UpdateOperation.upsert_points(made))

    def search(
        self, name: str, vectors: Sequence[Sequence[float]], limit: int, where: Filter | None
    ) -> list[list[Hit]]:
        collection = self._collection(name)
        checks.check_limit(limit)
        for vector in vectors:
            checks.check_vector(vector, collection.dimension)
        if not vectors or checks.matches_nothing(where):
            return [[] for _ in vectors]
        wanted = _filter(where)
        queries = [
            edge.QueryRequest(limit, query=edge.Query.Nearest(list(vector)), filter=wanted, with_payload=True)
            for vector in vectors
        ]
        answers = _asked(lambda: collection.shard.query_batch(edge.QueryBatchRequest(queries)))
        return [[Hit(found.id, found.score, found.payload or {}) for found in answer] for answer in answers]

    def vectors_of(self, name: str, where: Filter, limit: int) -> list[Point]:
        collection = self._collection(name)
        checks.check_limit(limit)
        if checks.matches_nothing(where):
            return []
        points: list[Point] = []
        wanted, offset = _filter(where), None
        while True:
            request = edge.ScrollRequest(
                offset=offset, limit=_SCROLL, filter=wanted, with_payload=True, with_vector=True
            )
            records, offset = _scroll(collection, request)
            points += [Point(record.id, record.vector, record.payload or {}) for record in records]
            if offset is None:
                return sorted(points, key=checks.by_time)[:limit]

    def delete(self, name: str, where: Filter) -> None:
        collection = self._collection(name)
        checks.check_deletion(where)
        if not checks.matches_nothing(where):
            self._update(collection, edge.UpdateOperation.delete_points_by_filter(_filter(where)))

    def count(self, name: str, where: Filter | None) -> int:
        collection = self._collection(name)
        if checks.matches_nothing(where):
            return 0
        request = edge.CountRequest(exact=True, filter=_filter(where))
        return int(_asked(lambda: collection.shard.count(request)))

    def flush(self) -> None:
        """Put what has changed safely on the disk."""
        for collection in self._collections.values():
            if collection.dirty:
                collection.dirty = False
                _asked(collection.shard.flush)

    def close(self) -> None:
        for collection in self._collections.values():
            _asked(collection.shard.flush)
            _asked(collection.shard.close)
        self._collections.clear()
        self._lock.close()

    def _collection(self, name: str) -> _Collection:
        try:
            return self._collections[name]
        except KeyError:
            raise Permanent(f"There is no collection {name}.") from None

    def _update(self, collection: _Collection, operation: Any) -> None:
        collection.dirty = True
        _asked(lambda: collection.shard.update(operation))


def _scroll(collection: _Collection, request: Any) -> tuple[list[Any], Any]:
    records, offset = _asked(lambda: collection.shard.scroll(request))
    return records, offset


def _asked(call: Callable[[], T]) -> T:
    """The engine raises bare `Exception`s. What it is asked has been checked, so they speak of the disk or the engine."""
    try:
        return call()
    except Exception as error:
        raise Outage(f"The vector engine failed ({error}).") from error
    except BaseException as error:  # a panic in the engine's own language; its class cannot be imported
        raise EngineBroken(f"The vector engine broke and must be opened anew ({error}).") from error


def _filter(where: Filter | None) -> Any:
    match, exclude = checks.conditions(where)
    if not match and not exclude:
        return None
    return edge.Filter(must=_conditions(match), must_not=_conditions(exclude))


def _conditions(values: dict[str, list[str]]) -> list[Any]:
    return [edge.FieldCondition(name, match=edge.MatchAny(any=some)) for name, some in values.items()]
