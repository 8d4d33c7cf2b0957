"""Uploads in parts: opened, listed, completed and aborted in the store behind, by the bearer of the token. The parts
themselves come to signed addresses (uploads.py)."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.store.objects import ObjectStore
from clipstream.common.store.proxy import wire
from clipstream.mediaproxy.problems import invalid

T = TypeVar("T", bound=BaseModel)
BODY_LIMIT = 4 << 20  # ten thousand parts, S3's bound, and room


class Multipart:
    """Handlers over one store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(wire.MULTIPART, self.open),
            web.post(f"{wire.MULTIPART}/parts", self.parts),
            web.post(f"{wire.MULTIPART}/complete", self.complete),
            web.post(f"{wire.MULTIPART}/abort", self.abort),
        ]

    async def open(self, request: web.Request) -> web.StreamResponse:
        asked = await _read(request, wire.Opening)
        store_id = await self._store.open_multipart(
            ObjectKey(asked.key),
            content_type=asked.content_type,
            metadata=asked.metadata,
            checksums=asked.checksums,
        )
        return _json(wire.Opened(store_id=store_id), status=201)

    async def parts(self, request: web.Request) -> web.StreamResponse:
        asked = await _read(request, wire.Named)
        parts = await self._store.list_parts(ObjectKey(asked.key), asked.store_id)
        return _json(wire.Parts(parts=[wire.ListedPart.of(part) for part in parts]))

    async def complete(self, request: web.Request) -> web.StreamResponse:
        asked = await _read(request, wire.Completing)
        parts = [listed.part() for listed in asked.parts]
        info = await self._store.complete_multipart(
            ObjectKey(asked.key), asked.store_id, parts, if_absent=asked.if_absent
        )
        return _json(wire.Listed.of(info))

    async def abort(self, request: web.Request) -> web.StreamResponse:
        asked = await _read(request, wire.Named)
        await self._store.abort_multipart(ObjectKey(asked.key), asked.store_id)
        return _json(wire.Done())


async def _read(request: web.Request, model: type[T]) -> T:
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise invalid(*(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())) from error


def _json(model: BaseModel, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=model.model_dump_json(exclude_none=True).encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
