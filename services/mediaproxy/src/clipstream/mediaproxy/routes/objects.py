"""Stored objects: fetch one or a picture of it, list, delete."""

from __future__ import annotations

from aiohttp import web
from pydantic import BaseModel

from clipstream.common.contracts.keys import DERIVED_PREFIX
from clipstream.common.errors import Conflict, NotFound, Rejected
from clipstream.common.store.names import check_prefix
from clipstream.common.store.objects import ObjectInfo, ObjectStore
from clipstream.common.store.proxy import wire
from clipstream.mediaproxy.access import OBJECT_ROUTE, key_of
from clipstream.mediaproxy.images import PRESETS, Format
from clipstream.mediaproxy.pictures import Pictures
from clipstream.mediaproxy.problems import Problem, invalid
from clipstream.mediaproxy.serving import FOREVER, serve

_ONE = wire.MEDIA + r"/{key:[\s\S]+}"  # a key may hold line ends
_TRIES = 3  # at an object that is being overwritten


class Objects:
    """Handlers over one store."""

    def __init__(self, store: ObjectStore, pictures: Pictures) -> None:
        self._store = store
        self._pictures = pictures

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(wire.MEDIA, self.list),
            web.delete(wire.MEDIA, self.delete_prefix),
            web.get(_ONE, self.fetch, name=OBJECT_ROUTE),
            web.delete(_ONE, self.delete),
        ]

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """The object; with `?preset=` a small picture of it, in `?format=` (jpeg where none is named). With `?v=` and its
        ETag an address names one version of a picture, which never changes."""
        if {"preset", "format"} & request.query.keys():
            return await self._picture(request)
        key = key_of(request)
        for left in reversed(range(_TRIES)):
            try:
                return await serve(request, self._store, await self._store.head(key))
            except Conflict:
                if not left or request.if_match is not None:
                    raise
        raise AssertionError("the last try answers or raises")

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        key = key_of(request)
        preset, picture_format = _asked(request)
        source = await self._store.head(key)
        version = request.query.get("v")
        if key.startswith(DERIVED_PREFIX) or version not in (None, source.etag):
            raise NotFound(f"There is no such picture of {key}.")
        try:
            picture = await self._pictures.of(source, preset, picture_format)
        except Rejected as error:
            raise Problem(422, "Image cannot be used", [str(error)], fault=Rejected) from error
        if version is None:
            return await serve(request, self._store, picture)
        return await serve(request, self._store, picture, cache_control=FOREVER)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Remove one object and the pictures of it; a missing one is fine."""
        key = key_of(request)
        await self._store.delete(key)
        await self._store.delete_prefix(f"{DERIVED_PREFIX}{key}/")
        return web.Response(status=204)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """A page of what lies below `prefix`, in key order."""
        prefix = request.query.get("prefix", "")
        check_prefix(prefix)
        limit = _limit(request)
        objects: list[ObjectInfo] = []
        more = False
        async for info in self._store.list(prefix, start_after=request.query.get("start_after", "")):
            if more := len(objects) == limit:
                break
            objects.append(info)
        page = wire.Page(
            objects=[wire.Listed.of(info) for info in objects],
            next_start_after=objects[-1].key if more else None,
        )
        return _json(page)

    async def delete_prefix(self, request: web.Request) -> web.StreamResponse:
        """Remove everything below `prefix`, which has to be named even where it is everything."""
        if "prefix" not in request.query:
            raise invalid("prefix is required.")
        prefix = request.query["prefix"]
        check_prefix(prefix)
        deleted = await self._store.delete_prefix(prefix)
        if not prefix.startswith(DERIVED_PREFIX):
            await self._store.delete_prefix(DERIVED_PREFIX + prefix)
        return _json(wire.Deleted(deleted=deleted))


def _asked(request: web.Request) -> tuple[str, Format]:
    preset = request.query.get("preset")
    if preset is None:
        raise invalid("preset is required.")
    if preset not in PRESETS:
        raise Problem(404, "Unknown preset", [f"There are {', '.join(PRESETS)}."], fault=NotFound)
    try:
        return preset, Format(request.query.get("format", Format.JPEG))
    except ValueError:
        raise invalid(f"format is one of {', '.join(Format)}.") from None


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(wire.PAGE_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= wire.PAGE_LIMIT):
        raise invalid(f"limit is a number from 1 to {wire.PAGE_LIMIT}.")
    return int(text)


def _json(model: BaseModel) -> web.Response:
    return web.Response(
        body=model.model_dump_json(exclude_none=True).encode(),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
