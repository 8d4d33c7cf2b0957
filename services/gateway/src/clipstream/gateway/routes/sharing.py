"""What a share's code opens, for anybody who has it: a page that plays the clip and unfurls in chats.

A code that never was, has expired or was revoked gets one and the same answer. Who may watch is asked again for every
piece of the clip (media.py), so nothing given out here outlives the share. The original is never given out: it can hold
where and by what device it was recorded.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import Field, ValidationError

from clipstream.common.contracts import keys
from clipstream.common.contracts.ids import VideoId
from clipstream.common.errors import NotFound
from clipstream.gateway.access import Access
from clipstream.gateway.fields import Secret
from clipstream.gateway.limits import Limit
from clipstream.gateway.pages import Template
from clipstream.gateway.playing import played
from clipstream.gateway.problems import Problem, describe
from clipstream.gateway.repository import shares
from clipstream.gateway.repository.shares import Share
from clipstream.gateway.routes.api import Body, Call, Path, RouteTable
from clipstream.gateway.routes.dispatch import BODY_PATIENCE_S, matches
from clipstream.gateway.serving import serve_object
from clipstream.gateway.sharing import UNLOCKED_FOR_S
from clipstream.gateway.showing import look, shown

table = RouteTable("sharing")
PROOF_COOKIE = "clipstream_share"
_BROKEN = (ValueError, LookupError, RuntimeError, AssertionError, HttpProcessingError)
_FOREVER = "public, max-age=31536000, immutable"


class SharePath(Path):
    missing: ClassVar[str] = "Share not found"
    code: str


class StaticPath(Path):
    name: str


class Unlock(Body):
    password: Secret = Field(description="the share's password")


@table.route("GET", "/share/{code}", access=Access.PUBLIC, content=("text/html",))
async def get_share_page(call: Call, path: SharePath) -> web.StreamResponse:
    """A page that plays the shared clip"""
    return await _page(call, path, "share.html")


@table.route("GET", "/share/{code}/embed", access=Access.PUBLIC, content=("text/html",))
async def get_share_embed(call: Call, path: SharePath) -> web.StreamResponse:
    """The player alone, to be shown inside other pages"""
    return await _page(call, path, "embed.html", framed=True)


async def _page(call: Call, path: SharePath, template: Template, *, framed: bool = False) -> web.StreamResponse:
    share = await call.services.sharing.find(path.code)
    row = None if share is None else await look(call.services.pool, share)
    if share is None or row is None:
        return _missing(call)
    if _locked(call, share):
        return _locked_page(call, path, framed=framed)
    if call.request.method == hdrs.METH_GET:
        await shares.opened(call.services.pool, share.id)
    clip = shown(call.services, call.request, path.code, share, row, await played(call.services.pool, row))
    return call.services.pages.answer(template, clip=clip, framed=framed)


@table.route("GET", "/share/{code}/thumbnail", access=Access.PUBLIC, content=("image/jpeg", "image/png"))
async def get_share_thumbnail(call: Call, path: SharePath) -> web.StreamResponse:
    """The clip's picture; one that shows nothing while there is none, or while a password has to be given"""
    services = call.services
    share = await services.sharing.find(path.code)
    row = None if share is None else await look(services.pool, share)
    if share is None or row is None:
        raise Problem(404, "Share not found")
    try:
        if _locked(call, share):
            raise NotFound("The picture is behind a password.")
        key = keys.thumbnail(VideoId((await played(services.pool, row))["id"]))
        answer = await serve_object(
            call.request, services.store, key, content_type="image/jpeg", cache_control="private, no-cache"
        )
    except NotFound:
        picture = services.pages.files.read("placeholder.png")
        answer = web.Response(
            body=picture.body, content_type=picture.content_type, headers={hdrs.CACHE_CONTROL: "no-store"}
        )
    if not answer.prepared:
        answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # sites that unfurl show it in their own pages
    return answer


@table.route(
    "POST",
    "/share/{code}/unlock",
    access=Access.PUBLIC,
    status=303,
    content=("text/html",),
    errors={403: "Wrong password"},
    invalid="Invalid password",
    form=Unlock,
    limit=Limit.GUESS,
)
async def unlock_share(call: Call, path: SharePath, body: Unlock | None) -> web.StreamResponse:
    """Give a share's password: a cookie for that share alone opens its page for an hour"""
    given = body or await _form(call.request)
    share = await call.services.sharing.find(path.code)
    if share is None:
        return _missing(call)
    if not await call.services.sharing.fits(share, given.password):
        if _wants_json(call.request):
            raise Problem(403, "Wrong password")
        return _locked_page(call, path, status=403, wrong=True)
    headers = {hdrs.LOCATION: f"/share/{path.code}", hdrs.CACHE_CONTROL: "no-store"}
    answer = web.Response(status=303, content_type="text/html", headers=headers)
    answer.set_cookie(
        PROOF_COOKIE,
        call.services.sharing.proof(share),
        path=f"/share/{path.code}",
        max_age=UNLOCKED_FOR_S,
        httponly=True,
        secure=call.services.api_url(call.request, "").startswith("https:"),
        samesite="Lax",
    )
    return answer


async def _form(request: web.Request) -> Unlock:
    try:
        async with asyncio.timeout(BODY_PATIENCE_S):
            form = await request.post()  # bounded by the application's client_max_size
        return Unlock.model_validate(dict(form))
    except TimeoutError as error:
        raise Problem(408, "Request timed out") from error
    except ValidationError as error:
        raise Problem(400, "Invalid password", describe(error)) from error
    except _BROKEN as error:
        raise Problem(400, "Invalid password", ["the form cannot be read"]) from error


@table.route("GET", "/static/{name}", access=Access.PUBLIC, content=("text/javascript", "text/css", "image/png"))
async def get_static_file(call: Call, path: StaticPath) -> web.StreamResponse:
    """A file that pages need, under a name that holds its hash"""
    found = call.services.pages.files.find(path.name)
    if found is None:
        raise Problem(404, "Not found")
    headers = {hdrs.CACHE_CONTROL: _FOREVER, hdrs.ETAG: f'"{path.name}"', hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if matches(call.request.headers.get(hdrs.IF_NONE_MATCH, ""), headers[hdrs.ETAG]):
        return web.Response(status=304, headers=headers)
    packed = found.packed is not None and "gzip" in call.request.headers.get(hdrs.ACCEPT_ENCODING, "")
    if packed:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    body = found.packed if packed else found.body
    return web.Response(body=body, content_type=found.content_type, headers=headers)


def _locked(call: Call, share: Share) -> bool:
    return call.services.sharing.locked(share, call.request.cookies.get(PROOF_COOKIE, ""))


def _locked_page(
    call: Call, path: SharePath, *, status: int = 200, wrong: bool = False, framed: bool = False
) -> web.Response:
    return call.services.pages.answer(
        "locked.html",
        status=status,
        framed=framed,
        wrong=wrong,
        unlock_path=f"/share/{path.code}/unlock",
        page_url=call.services.api_url(call.request, f"/share/{path.code}"),
    )


def _missing(call: Call) -> web.Response:
    if _wants_json(call.request):
        raise Problem(404, "Share not found")
    return call.services.pages.answer("missing.html", status=404)


def _wants_json(request: web.Request) -> bool:
    """People's browsers ask for HTML, and who says nothing gets a page as well."""
    accepted = request.headers.get(hdrs.ACCEPT, "")
    return "application/json" in accepted and "text/html" not in accepted
