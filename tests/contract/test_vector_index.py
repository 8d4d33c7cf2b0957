"""The vector index's contract: our own process with Qdrant's engine, the library's local mode under the adapter for
servers, and a server where QDRANT_TEST_URL names one."""

from __future__ import annotations

import math
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from uuid import UUID, uuid4

import pytest
from qdrant_client import AsyncQdrantClient

from clipstream.common.errors import Permanent
from clipstream.common.vectors import Filter, Point, VectorIndex, open_index
from clipstream.common.vectors.server import QdrantIndex
from fixtures.vectors import EdgeProcess

pytestmark = pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")  # in local mode
SERVER = os.environ.get("QDRANT_TEST_URL")  # noqa: TID251 - a test's own configuration
Payload = Mapping[str, str | float | int | bool]
FIELDS = ("stream_id", "video_id")
DIMENSION = 8


@pytest.fixture(params=["edge", "local", *(["server"] if SERVER else [])])
async def index(request: pytest.FixtureRequest, edge: EdgeProcess) -> AsyncIterator[VectorIndex]:
    if request.param == "edge":
        index = await open_index(edge.settings)
    elif request.param == "local":
        index = QdrantIndex(AsyncQdrantClient(":memory:"))
    else:
        assert SERVER
        index = QdrantIndex.at(SERVER, None)
    yield index
    await index.close()


@pytest.fixture
async def name(index: VectorIndex) -> str:
    made = f"test-{uuid4().hex[:12]}"
    await index.ensure_collection(made, DIMENSION, keyword_fields=FIELDS)
    return made


def unit(number: int) -> list[float]:
    noise = random.Random(number)
    vector = [noise.gauss(0, 1) for _ in range(DIMENSION)]
    length = math.hypot(*vector)
    return [value / length for value in vector]


def point(number: int, stream: str = "s1", video: str = "v1", scale: float = 1.0) -> Point:
    vector = [value * scale for value in unit(number)]
    return Point(UUID(int=number), vector, {"stream_id": stream, "video_id": video, "t": number / 2})


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_search_finds_the_nearest_first(index: VectorIndex, name: str) -> None:
    await index.upsert(name, [point(number, scale=3.0) for number in range(1, 101)])
    hits = await index.search(name, unit(7), limit=5)
    expected = sorted((cosine(unit(7), unit(number)) for number in range(1, 101)), reverse=True)[:5]
    assert [hit.score for hit in hits] == pytest.approx(expected, abs=1e-5)
    assert hits[0].id == UUID(int=7)
    assert hits[0].score == pytest.approx(1.0, abs=1e-5)
    assert hits[0].payload == {"stream_id": "s1", "video_id": "v1", "t": 3.5}


async def test_payloads_keep_their_types(index: VectorIndex, name: str) -> None:
    payload: dict[str, str | float | int | bool] = {
        "stream_id": "ä 🎮", "t": 1.5, "whole": 3.0, "index": 7, "big": 2**62, "yes": True, "no": False, "text": "",
    }  # fmt: skip
    await index.upsert(name, [Point(UUID(int=1), unit(1), payload)])
    [hit] = await index.search(name, unit(1), limit=1)
    [stored] = await index.vectors_of(name, Filter(match={"stream_id": ["ä 🎮"]}))
    assert hit.payload == stored.payload == payload
    assert isinstance(hit.payload["yes"], bool)
    assert isinstance(hit.payload["index"], int)


async def test_a_second_upsert_replaces(index: VectorIndex, name: str) -> None:
    await index.upsert(name, [point(1), point(2)])
    await index.upsert(name, [Point(UUID(int=1), unit(50), {"stream_id": "s2", "video_id": "v2", "t": 0.0})])
    assert await index.count(name) == 2
    [hit] = await index.search(name, unit(50), limit=1)
    assert hit.payload["stream_id"] == "s2"
    assert await index.count(name, Filter(match={"stream_id": ["s1"]})) == 1


async def test_filters(index: VectorIndex, name: str) -> None:
    points = [point(n, stream=f"s{n % 3}", video=f"v{n % 5}") for n in range(1, 61)]
    await index.upsert(name, points)
    cases: list[tuple[Filter | None, Callable[[Payload], bool]]] = [
        (Filter(match={"stream_id": ["s1"]}), lambda p: p["stream_id"] == "s1"),
        (Filter(match={"stream_id": ["s1", "s2"]}), lambda p: p["stream_id"] in ("s1", "s2")),
        (
            Filter(match={"stream_id": ["s0", "s1"], "video_id": ["v2"]}),
            lambda p: p["stream_id"] in ("s0", "s1") and p["video_id"] == "v2",
        ),
        (Filter(exclude={"video_id": ["v1", "v2"]}), lambda p: p["video_id"] not in ("v1", "v2")),
        (
            Filter(match={"stream_id": ["s1"]}, exclude={"video_id": ["v1"]}),
            lambda p: p["stream_id"] == "s1" and p["video_id"] != "v1",
        ),
        (Filter(match={"stream_id": ["unknown"]}), lambda _: False),
        (Filter(exclude={"video_id": []}), lambda _: True),
        (Filter(), lambda _: True),
        (None, lambda _: True),
    ]
    for where, holds in cases:
        expected = {p.id for p in points if holds(p.payload)}
        assert {hit.id for hit in await index.search(name, unit(1), limit=100, where=where)} == expected
        assert await index.count(name, where) == len(expected)
        assert {p.id for p in await index.vectors_of(name, where or Filter())} == expected


async def test_who_may_see_nothing_finds_nothing(index: VectorIndex, name: str) -> None:
    await index.upsert(name, [point(1)])
    for nothing in (Filter(match={"stream_id": []}), Filter(match={"stream_id": [], "video_id": ["v1"]})):
        assert await index.search(name, unit(1), limit=10, where=nothing) == []
        assert await index.search_many(name, [unit(1), unit(2)], limit=10, where=nothing) == [[], []]
        assert await index.vectors_of(name, nothing) == []
        assert await index.count(name, nothing) == 0
        await index.delete(name, nothing)
    assert await index.count(name) == 1


async def test_many_searches_answer_in_order(index: VectorIndex, name: str) -> None:
    await index.upsert(name, [point(number) for number in range(1, 41)])
    vectors = [unit(number) for number in (3, 17, 39)]
    together = await index.search_many(name, vectors, limit=4)
    apart = [await index.search(name, vector, limit=4) for vector in vectors]
    assert [[hit.id for hit in hits] for hits in together] == [[hit.id for hit in hits] for hits in apart]
    assert await index.search_many(name, [], limit=4) == []


async def test_stored_points_come_in_order_of_time_normalised(index: VectorIndex, name: str) -> None:
    numbers = list(range(1, 1301))  # more than one page of every engine
    random.Random(1).shuffle(numbers)
    await index.upsert(name, [point(number, scale=5.0) for number in numbers])
    await index.upsert(name, [point(5000, video="v2")])
    stored = await index.vectors_of(name, Filter(match={"video_id": ["v1"]}))
    assert [p.id for p in stored] == [UUID(int=number) for number in range(1, 1301)]
    assert list(stored[0].vector) == pytest.approx(unit(1), abs=1e-6)
    first = await index.vectors_of(name, Filter(match={"video_id": ["v1"]}), limit=3)
    assert [p.payload["t"] for p in first] == [0.5, 1.0, 1.5]


async def test_delete_takes_what_matches(index: VectorIndex, name: str) -> None:
    await index.upsert(name, [point(n, video=f"v{n % 2}") for n in range(1, 11)])
    await index.delete(name, Filter(match={"stream_id": ["s1"], "video_id": ["v1"]}))
    await index.delete(name, Filter(match={"video_id": ["unknown"]}))
    assert {p.payload["video_id"] for p in await index.vectors_of(name, Filter())} == {"v0"}
    with pytest.raises(Permanent):
        await index.delete(name, Filter())
    with pytest.raises(Permanent):
        await index.delete(name, Filter(match={}, exclude={}))
    assert await index.count(name) == 5


GOOD = unit(1)
BAD_POINTS = {
    "too short": Point(UUID(int=2), GOOD[:-1], {}),
    "too long": Point(UUID(int=2), [*GOOD, 0.5], {}),
    "nan": Point(UUID(int=2), [math.nan, *GOOD[1:]], {}),
    "infinite": Point(UUID(int=2), [-math.inf, *GOOD[1:]], {}),
    "beyond 32 bits": Point(UUID(int=2), [1e39, *GOOD[1:]], {}),
    "nan in the payload": Point(UUID(int=2), GOOD, {"t": math.nan}),
    "a large number in the payload": Point(UUID(int=2), GOOD, {"n": 2**63}),
    "a list in the payload": Point(UUID(int=2), GOOD, {"n": [1]}),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("bad", BAD_POINTS.values(), ids=BAD_POINTS.keys())
async def test_of_a_bad_batch_nothing_is_stored(index: VectorIndex, name: str, bad: Point) -> None:
    with pytest.raises(Permanent):
        await index.upsert(name, [point(1), bad, point(3)])
    with pytest.raises(Permanent):
        await index.upsert(name, [bad])
    assert await index.count(name) == 0


async def test_a_whole_batch_of_another_dimension_is_refused(index: VectorIndex, name: str) -> None:
    with pytest.raises(Permanent, match="dimensions"):
        await index.upsert(name, [Point(UUID(int=number), [0.5] * 4, {}) for number in range(1, 10)])
    assert await index.count(name) == 0


@pytest.mark.parametrize("vector", [GOOD[:-1], [math.nan, *GOOD[1:]], [math.inf, *GOOD[1:]], []])
async def test_a_bad_question_is_refused(index: VectorIndex, name: str, vector: list[float]) -> None:
    with pytest.raises(Permanent):
        await index.search(name, vector, limit=3)
    with pytest.raises(Permanent):
        await index.search_many(name, [GOOD, vector], limit=3)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
async def test_limits_are_bounded(index: VectorIndex, name: str, limit: int) -> None:
    with pytest.raises(Permanent):
        await index.search(name, GOOD, limit=limit)
    with pytest.raises(Permanent):
        await index.vectors_of(name, Filter(), limit=limit)


async def test_an_unknown_collection_is_permanent(index: VectorIndex) -> None:
    for call in (
        index.upsert("nothing", [point(1)]), index.search("nothing", GOOD, limit=1), index.count("nothing"),
        index.vectors_of("nothing", Filter()), index.delete("nothing", Filter(match={"video_id": ["v"]})),
    ):  # fmt: skip
        with pytest.raises(Permanent):
            await call


@pytest.mark.parametrize("bad", ["", "../up", "Upper", "a/b", "a b", "x" * 65])
async def test_a_collection_has_a_plain_name(index: VectorIndex, bad: str) -> None:
    with pytest.raises(Permanent):
        await index.ensure_collection(bad, DIMENSION, keyword_fields=FIELDS)


async def test_a_collection_can_be_ensured_again_but_not_changed(index: VectorIndex, name: str) -> None:
    await index.upsert(name, [point(1)])
    await index.ensure_collection(name, DIMENSION, keyword_fields=(*FIELDS, "kind"))
    assert await index.count(name) == 1
    with pytest.raises(Permanent, match="dimensions"):
        await index.ensure_collection(name, DIMENSION + 1, keyword_fields=FIELDS)
    with pytest.raises(Permanent):
        await index.ensure_collection("other", 0, keyword_fields=FIELDS)


async def test_nothing_to_store_is_fine(index: VectorIndex, name: str) -> None:
    await index.upsert(name, [])
    assert await index.count(name) == 0
    assert await index.search(name, GOOD, limit=3) == []


async def test_check_is_content(index: VectorIndex) -> None:
    await index.check()
