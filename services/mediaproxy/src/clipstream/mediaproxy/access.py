"""Who may do what: everything for the bearer of the token, one thing for the bearer of a signed address, health for all.
A route that is not named here is closed."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from aiohttp import hdrs, web

from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.obs.requests import Handler
from clipstream.common.store.names import check_key
from clipstream.common.store.proxy.signing import SIGNATURE, DownloadSigner
from clipstream.common.store.proxy.wire import MEDIA
from clipstream.mediaproxy.problems import Problem, authentication_required, invalid

HEALTH_ROUTE, OBJECT_ROUTE, SIGNED_UPLOAD_ROUTE = "health", "object", "signed-upload"
SIGNED: web.RequestKey[bool] = web.RequestKey("signed", bool)
"""Set where a request came to a signed address."""


class Access:
    """Holds requests against the token."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._downloads = DownloadSigner(token)

    def bears_token(self, request: web.Request) -> bool:
        given = request.headers.get(hdrs.AUTHORIZATION, "").encode(errors="surrogateescape")
        return hmac.compare_digest(given, self._expected)

    @property
    def guard(self) -> Callable[..., Awaitable[web.StreamResponse]]:
        """The middleware that lets nobody else through."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._may_pass(request):
                raise authentication_required()
            return await handler(request)

        return check

    def _may_pass(self, request: web.Request) -> bool:
        resource = request.match_info.route.resource
        route = None if resource is None else resource.name
        if route == HEALTH_ROUTE:  # open to all, but a token that is sent has to be the right one
            return hdrs.AUTHORIZATION not in request.headers or self.bears_token(request)
        if route == SIGNED_UPLOAD_ROUTE:  # the handler verifies it, body and all
            return True
        if route == OBJECT_ROUTE and SIGNATURE in request.query and request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
            if not self._downloads.good(key_of(request), request.query):
                raise Problem(403, "Invalid or expired media address")
            request[SIGNED] = True
            return True
        return self.bears_token(request)


def key_of(request: web.Request) -> ObjectKey:
    """The object that the path names. It is decoded once, here: routing must not have decoded or resolved any of it."""
    encoded = request.rel_url.raw_path.removeprefix(f"{MEDIA}/")
    try:
        key = unquote(encoded, errors="strict")
    except UnicodeDecodeError:
        raise invalid("The object key is not valid Unicode.") from None
    check_key(key)
    return ObjectKey(key)
