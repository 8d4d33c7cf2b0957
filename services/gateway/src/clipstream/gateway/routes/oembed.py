"""oEmbed (https://oembed.com): what sites that know the standard need to show a shared clip."""

from __future__ import annotations

from typing import Literal

from markupsafe import Markup
from pydantic import BaseModel, Field
from yarl import URL

from clipstream.gateway.access import Access
from clipstream.gateway.playing import played
from clipstream.gateway.problems import Problem
from clipstream.gateway.routes.api import Call, Query, RouteTable
from clipstream.gateway.showing import look, shown, size

table = RouteTable("sharing")
DEFAULT_WIDTH = 640
LARGEST = 4096
_FRAME = Markup(
    '<iframe src="{}" width="{}" height="{}" title="{}" allow="fullscreen" frameborder="0" allowfullscreen></iframe>'
)


class OembedQuery(Query):
    """The address of a share page, and how large the player may be at most."""

    url: str = Field(min_length=1, max_length=2048)
    format: str = "json"
    maxwidth: int | None = Field(default=None, ge=1, le=1_000_000)
    maxheight: int | None = Field(default=None, ge=1, le=1_000_000)

    @property
    def most(self) -> tuple[int, int]:
        """How large the player is made: within what was asked for, or of a usual size."""
        return min(self.maxwidth or DEFAULT_WIDTH, LARGEST), min(self.maxheight or LARGEST, LARGEST)

    def fits(self, width: int, height: int) -> bool:
        """Whether something of that size was asked for."""
        return width <= (self.maxwidth or LARGEST) and height <= (self.maxheight or LARGEST)


class Oembed(BaseModel):
    """§2.3.4.2 of the specification, type `video`. `html` is an iframe with the player; the picture is left out where it
    is larger than was asked for."""

    type: Literal["video"] = "video"
    version: Literal["1.0"] = "1.0"
    title: str
    author_name: str
    provider_name: Literal["Clipstream"] = "Clipstream"
    provider_url: str
    cache_age: int = 300
    thumbnail_url: str | None
    thumbnail_width: int | None
    thumbnail_height: int | None
    html: str
    width: int
    height: int


@table.route(
    "GET",
    "/oembed",
    access=Access.PUBLIC,
    errors={401: "A password has to be given", 404: "Share not found", 501: "Only JSON is answered"},
)
async def get_oembed(call: Call, query: OembedQuery) -> Oembed:
    """How to show a shared clip inside another page"""
    if query.format != "json":
        raise Problem(501, "Only JSON is answered")
    code = _code(call, query.url)
    share = None if code is None else await call.services.sharing.find(code)
    row = None if share is None else await look(call.services.pool, share)
    if code is None or share is None or row is None:
        raise Problem(404, "Share not found")
    if share.password is not None:
        raise Problem(401, "A password has to be given")
    playing = await played(call.services.pool, row)
    clip = shown(call.services, call.request, code, share, row, playing)
    width, height = size(playing, query.most)
    pictured = query.fits(clip.width, clip.height)
    return Oembed(
        title=clip.title,
        author_name=clip.uploader,
        provider_url=call.services.api_url(call.request, "/"),
        thumbnail_url=clip.picture_url if pictured else None,
        thumbnail_width=clip.width if pictured else None,
        thumbnail_height=clip.height if pictured else None,
        html=_FRAME.format(clip.embed_url, width, height, clip.title),
        width=width,
        height=height,
    )


def _code(call: Call, text: str) -> str | None:
    """The code in the address of one of our share pages, or of its player."""
    try:
        url, own = URL(text), URL(call.services.api_url(call.request, "/share"))
        elsewhere = (url.host, url.port) != (own.host, own.port)  # a host's name is decoded only now
    except ValueError:
        return None
    if elsewhere:
        return None
    match url.parts:
        case ("/", "share", code) | ("/", "share", code, "" | "embed"):
            return code
        case _:
            return None
