"""Bringing objects in: by the bearer of the token, or to a signed address."""

from __future__ import annotations

from aiohttp import hdrs, web

from clipstream.common.errors import Permanent, Rejected
from clipstream.common.store.objects import ObjectStore
from clipstream.common.store.presign import ROUTE, NotSigned, UploadSigner, receive
from clipstream.common.store.proxy import wire
from clipstream.mediaproxy.access import SIGNED_UPLOAD_ROUTE
from clipstream.mediaproxy.problems import Problem, invalid
from clipstream.mediaproxy.receiving import arriving, bounded


class Uploads:
    """Handlers over one store. Nothing is visible before all of it has arrived."""

    def __init__(self, store: ObjectStore, signer: UploadSigner, limit: int) -> None:
        self._store = store
        self._signer = signer
        self._limit = limit

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(wire.UPLOAD, self.upload),
            web.put(ROUTE, self.take_signed, name=SIGNED_UPLOAD_ROUTE),
        ]

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Store a form's file or the bare body, with `If-None-Match: *` only where there is nothing yet."""
        only_new = _only_new(request)
        new = await arriving(request, self._limit)
        metadata = wire.metadata_from(request.headers)
        info = await self._store.put_stream(
            new.key, new.body, content_type=new.content_type, metadata=metadata, if_absent=only_new
        )
        stored = wire.Listed.of(info).model_dump_json(exclude_none=True)
        headers = wire.headers_of(info) | {hdrs.LOCATION: wire.media_path(info.key), hdrs.CACHE_CONTROL: "no-store"}
        return web.Response(status=201, body=stored.encode(), content_type="application/json", headers=headers)

    async def take_signed(self, request: web.Request) -> web.StreamResponse:
        """Store exactly what a signed address allows."""
        try:
            grant = self._signer.verify(request.query, request.headers)
            info = await receive(self._store, grant, bounded(request, self._limit))
        except NotSigned as error:
            raise Problem(403, "Invalid upload address", [str(error)]) from error
        except Rejected as error:
            raise Problem(400, "Invalid upload", [str(error)], fault=Permanent) from error
        return web.Response(status=200, headers={hdrs.ETAG: f'"{info.etag}"'})


def _only_new(request: web.Request) -> bool:
    condition = request.headers.get(hdrs.IF_NONE_MATCH)
    if condition not in (None, "*"):
        raise invalid("If-None-Match can only be * here.")
    return condition is not None
