"""Pages for people who have no account here: HTML with everything escaped, and headers that let nothing else run.

Scripts and styles come from our own files only, so that a title which gets through the escaping still runs nothing.
No page is kept by a cache: it holds an address that plays the clip, and a share can be revoked at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aiohttp import hdrs, web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clipstream.gateway.statics import StaticFiles

HERE = Path(__file__).parent
Template = Literal["docs.html", "share.html", "embed.html", "locked.html", "missing.html"]
State = Literal["playable", "processing", "ended"]

# `blob:` is what hls.js feeds <video> from, and where its worker comes from.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors {framed_by}"
)


@dataclass(frozen=True, slots=True)
class ShownClip:
    """A clip as its share page shows it. Names ending in `_url` are absolute, for other sites; the rest are paths, so
    that the page works at whatever address it was reached. `duration` is in whole seconds."""

    title: str
    uploader: str
    state: State
    start_time: float
    duration: int | None
    width: int
    height: int
    playlist: str | None
    captions: str | None
    picture: str
    picture_url: str
    page_url: str
    embed_url: str
    oembed_url: str


class Pages:
    """Renders templates and serves the files they need."""

    def __init__(self) -> None:
        self.files = StaticFiles(HERE / "static")
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals["static"] = self.files.path

    def answer(
        self,
        template: Template,
        *,
        status: int = 200,
        framed: bool = False,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> web.Response:
        """The page as an answer; only a `framed` one may be shown inside other sites' pages."""
        text = self._templates.get_template(template).render(framed=framed, **values)
        return web.Response(
            status=status,
            text=text,
            content_type="text/html",
            charset="utf-8",
            headers={
                hdrs.CACHE_CONTROL: "no-store",
                "Content-Security-Policy": _POLICY.format(framed_by="*" if framed else "'none'"),
                "X-Robots-Tag": "noindex",
                **(headers or {}),
            },
        )
