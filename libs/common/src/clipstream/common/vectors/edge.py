"""The client of our own vector process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp
from pydantic import BaseModel, SecretStr, ValidationError

from clipstream.common.errors import Outage, Permanent
from clipstream.common.vectors import checks, wire
from clipstream.common.vectors.address import Address
from clipstream.common.vectors.index import Filter, Hit, Point

_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=5)
_PAUSES_S = (0.1, 0.3, 1.0, 2.0)  # the process is restarted in about a second; all requests may be repeated
_POINTS_AT_ONCE = 2048


class EdgeIndex:
    """Implements `VectorIndex` over a socket."""

    def __init__(self, address: Address, token: SecretStr | None) -> None:
        if address.path is not None:
            connector: aiohttp.BaseConnector = aiohttp.UnixConnector(address.path)
            self._base = "http://vectors"
        else:
            connector = aiohttp.TCPConnector()
            self._base = f"http://{address.host}:{address.port}"
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._session = aiohttp.ClientSession(connector=connector, headers=headers, timeout=_TIMEOUT)

    async def ensure_collection(self, name: str, dimension: int, *, keyword_fields: Sequence[str]) -> None:
        await self._ask(name, "ensure", wire.Ensure(dimension=dimension, keyword_fields=list(keyword_fields)))

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        if points:
            checks.check_points(points, len(points[0].vector))  # so that no first part is stored of a bad whole
        for start in range(0, len(points), _POINTS_AT_ONCE):
            some = points[start : start + _POINTS_AT_ONCE]
            await self._ask(name, "upsert", wire.Upsert(points=[wire.WirePoint.of(point) for point in some]))

    async def search(self, name: str, vector: Sequence[float], *, limit: int, where: Filter | None = None) -> list[Hit]:
        return (await self.search_many(name, [vector], limit=limit, where=where))[0]

    async def search_many(
        self, name: str, vectors: Sequence[Sequence[float]], *, limit: int, where: Filter | None = None
    ) -> list[list[Hit]]:
        packed = [wire.pack(vector) for vector in vectors]
        answer = await self._ask(
            name, "search", wire.Search(vectors=packed, limit=limit, where=wire.WireFilter.of(where))
        )
        return [[hit.hit() for hit in hits] for hits in answer.hits]

    async def vectors_of(self, name: str, where: Filter, *, limit: int = checks.MAX_LIMIT) -> list[Point]:
        answer = await self._ask(name, "vectors", wire.Where(where=wire.WireFilter.of(where), limit=limit))
        return [point.point() for point in answer.points]

    async def delete(self, name: str, where: Filter) -> None:
        await self._ask(name, "delete", wire.Where(where=wire.WireFilter.of(where)))

    async def count(self, name: str, where: Filter | None = None) -> int:
        return (await self._ask(name, "count", wire.Where(where=wire.WireFilter.of(where)))).count

    async def check(self) -> None:
        await self._send("GET", "/health", None)

    async def close(self) -> None:
        await self._session.close()

    async def _ask(self, name: str, what: str, asked: BaseModel) -> wire.Answer:
        checks.check_name(name)
        body = await self._send("POST", f"/collections/{name}/{what}", asked.model_dump_json().encode())
        return wire.Answer.model_validate_json(body)

    async def _send(self, method: str, path: str, body: bytes | None) -> bytes:
        for pause in (*_PAUSES_S, None):
            try:
                async with self._session.request(method, self._base + path, data=body) as answer:
                    return await _read(answer)
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
                if pause is None or isinstance(error, TimeoutError):
                    raise Outage(f"The vector process does not answer ({type(error).__name__}: {error}).") from error
                await asyncio.sleep(pause)
        raise AssertionError("unreachable")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = await answer.read()
    if answer.status == 200:
        return body
    try:
        told = _Refusal.model_validate_json(body).error
    except ValidationError:
        told = f"status {answer.status}"
    if answer.status in (400, 413):
        raise Permanent(told)
    raise Outage(f"The vector process cannot serve us: {told}")


class _Refusal(BaseModel):
    error: str
