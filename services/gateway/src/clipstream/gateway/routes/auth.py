"""Signing in, staying signed in, and logging out."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar
from uuid import UUID

from aiohttp import hdrs, web
from pydantic import BaseModel, Field

from clipstream.gateway.access import Access
from clipstream.gateway.fields import Name, Secret, SignedToken
from clipstream.gateway.limits import Limit
from clipstream.gateway.logins import Login
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import users
from clipstream.gateway.routes.api import Body, Call, Reply, RouteTable

table = RouteTable("auth")
T = TypeVar("T", bound="Tokens")
_NEVER_STORED = {"Cache-Control": "no-store"}  # RFC 6749 5.1


class SignIn(Body):
    cookie: bool = Field(default=False, description="keep the refresh token in a cookie instead of showing it")


class Verify(SignIn):
    """`nonce` is what the client sent to the issuer, where it sent one."""

    id_token: SignedToken
    nonce: Secret | None = None


class DevLogin(SignIn):
    """A local user by name. Only where development login is switched on. Without `admin` they are what they were."""

    name: Name
    admin: bool | None = None


class Presented(Body):
    """A refresh token; without one it is the cookie's."""

    refresh_token: Secret | None = None


class Account(BaseModel):
    id: UUID
    email: str | None
    name: str
    avatar: str | None


class Tokens(BaseModel):
    """`app_token` goes into `Authorization: Bearer`; `refresh_token` is good for one renewal, and null where a cookie
    holds it."""

    app_token: str
    refresh_token: str | None
    expires_at: datetime


class SignedIn(Tokens):
    user: Account


class AccountDetails(Account):
    created_at: datetime
    total_videos: int
    total_likes: int


@table.route(
    "POST",
    "/auth/verify",
    access=Access.PUBLIC,
    limit=Limit.SIGN_IN,
    invalid="Invalid sign-in",
    errors={
        401: "Invalid Google ID token",
        404: "Sign-in is not configured",
        500: "Failed to verify token with Google",
    },
)
async def sign_in(call: Call, body: Verify) -> SignedIn | Reply:
    """Sign in with an ID token of Google's, or of the issuer that is configured instead"""
    id_tokens = call.services.id_tokens
    if id_tokens is None:
        raise Problem(404, "Sign-in is not configured", ["whoever runs this place has to set OIDC_CLIENT_ID"])
    login = await call.services.logins.verified(await id_tokens.verify(body.id_token, body.nonce))
    return _signed_in(call, login, cookie=body.cookie)


@table.route(
    "POST",
    "/auth/dev",
    access=Access.PUBLIC,
    limit=Limit.SIGN_IN,
    invalid="Invalid login",
    errors={404: "Not found"},
)
async def log_in_for_development(call: Call, body: DevLogin) -> SignedIn | Reply:
    """Sign in as a local user, by name alone (development only)"""
    if not call.services.settings.dev_login:
        raise Problem(404, "Not found")
    login = await call.services.logins.local(body.name, site_admin=body.admin)
    return _signed_in(call, login, cookie=body.cookie)


@table.route(
    "POST",
    "/auth/refresh",
    access=Access.PUBLIC,
    limit=Limit.SIGN_IN,
    invalid="Invalid refresh request",
    errors={401: "Invalid refresh token", 403: "Cross-origin request refused"},
)
async def refresh_login(call: Call, body: Presented) -> Tokens | Reply:
    """Spend a refresh token for a new pair of tokens"""
    cookie = call.services.refresh_cookie.read(call.request) if body.refresh_token is None else None
    token = body.refresh_token or cookie
    if token is None:
        raise Problem(401, "Invalid refresh token")
    return _answer(call, await call.services.logins.refresh(token), Tokens, cookie=cookie is not None)


@table.route(
    "POST",
    "/auth/logout",
    access=Access.PUBLIC,
    status=204,
    invalid="Invalid logout request",
    errors={403: "Cross-origin request refused"},
)
async def log_out(call: Call, body: Presented) -> web.Response:
    """End the login of the refresh token given, else of the cookie, else of the access token; it may be over already"""
    services = call.services
    cookie = services.refresh_cookie.read(call.request) if body.refresh_token is None else None
    response = web.Response(status=204, headers=_NEVER_STORED)
    if token := body.refresh_token or cookie:
        await services.logins.end(token)
    else:
        await _end_login_of_bearer(call)
    if cookie is not None:
        services.refresh_cookie.clear(response)
    return response


@table.route("GET", "/auth/user", access=Access.USER)
async def get_account(call: Call) -> AccountDetails:
    """Who is signed in"""
    user = call.caller
    totals = await users.totals(call.services.pool, user.id)
    return AccountDetails(
        **_account(user).model_dump(),
        created_at=user.created_at,
        total_videos=totals.videos,
        total_likes=totals.likes,
    )


async def _end_login_of_bearer(call: Call) -> None:
    """An access token that is no longer good has no login to end."""
    scheme, _, token = call.request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer":
        return
    try:
        claims = call.services.access_tokens.verify(token.strip())
    except Problem:
        return
    await call.services.logins.end_login(claims.user_id, claims.login_id)


def _signed_in(call: Call, login: Login, *, cookie: bool) -> Reply:
    return _answer(call, login, SignedIn, cookie=cookie, user=_account(login.user))


def _answer(call: Call, login: Login, model: type[T], *, cookie: bool, **more: Account) -> Reply:
    """The tokens as JSON, the refresh token in its cookie where that was wished."""
    shown = None if cookie else login.refresh_token
    told = model(app_token=login.app_token, refresh_token=shown, expires_at=login.expires_at, **more)
    reply = Reply(told, status=200, headers=_NEVER_STORED)
    if cookie:
        call.services.refresh_cookie.put(reply, login.refresh_token)
    return reply


def _account(user: users.User) -> Account:
    return Account(id=user.id, email=user.email, name=user.name, avatar=user.avatar)
