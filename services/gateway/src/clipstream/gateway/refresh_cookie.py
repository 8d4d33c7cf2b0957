"""The built-in web app's refresh token: in a cookie that no script can read and that only `/auth` is sent. It is the one
credential that a browser adds by itself, so whoever's page sent the request has to be ours."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import hdrs, web
from yarl import URL

from clipstream.gateway.problems import Problem

PATH = "/auth"


class RefreshCookie:
    """Sets, reads and clears the cookie. `api_url` is the API as browsers see it, `web_url` another place of our web app;
    either may be unknown."""

    def __init__(self, api_url: str | None, web_url: str | None, life: timedelta) -> None:
        self._secure = api_url is not None and URL(api_url).scheme == "https"
        self._name = "__Secure-cs_refresh" if self._secure else "cs_refresh"
        self._own = api_url and str(URL(api_url).origin())
        self._web = web_url and str(URL(web_url).origin())
        self._life_s = int(life.total_seconds())

    def read(self, request: web.Request) -> str | None:
        """The token; None where no cookie came. 403 where a page that is not ours may have sent it."""
        token = request.cookies.get(self._name)
        if token is not None and not self._ours(request):
            raise Problem(403, "Cross-origin request refused")
        return token

    def put(self, response: web.StreamResponse, token: str) -> None:
        response.set_cookie(
            self._name,
            token,
            path=PATH,
            max_age=self._life_s,
            httponly=True,
            secure=self._secure,
            samesite="Strict",
        )

    def clear(self, response: web.StreamResponse) -> None:
        response.del_cookie(self._name, path=PATH, httponly=True, secure=self._secure, samesite="Strict")

    def _ours(self, request: web.Request) -> bool:
        """Browsers name the origin of every POST; one that does not has to say that it is the same."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return request.headers.get("Sec-Fetch-Site") == "same-origin"
        if origin == self._web:
            return True
        if self._own is not None:
            return origin == self._own
        # Unknown from outside: a proxy may have ended TLS, so the address alone has to agree.
        return origin in (f"http://{request.host}", f"https://{request.host}")
