"""A page to read the API's document."""

from __future__ import annotations

from aiohttp import web

from clipstream.gateway.access import Access
from clipstream.gateway.routes.api import Call, RouteTable

table = RouteTable("system")


@table.route("GET", "/docs", access=Access.PUBLIC, content=("text/html",))
async def read_documentation(call: Call) -> web.StreamResponse:
    """A page that shows this document, and tries it out, to whoever has a token"""
    return call.services.pages.answer("docs.html")
