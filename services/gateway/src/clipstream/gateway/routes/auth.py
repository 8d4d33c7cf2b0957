"""Signing in and staying signed in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from clipstream.gateway.access import Access
from clipstream.gateway.auth import Login
from clipstream.gateway.fields import Name, Secret
from clipstream.gateway.limits import Limit
from clipstream.gateway.problems import Problem
from clipstream.gateway.repository import users
from clipstream.gateway.routes.api import Body, Call, RouteTable

table = RouteTable("auth")


class DevLogin(Body):
    """A local user by name. Only where development login is switched on."""

    name: Name
    admin: bool = False


class Refresh(Body):
    refresh_token: Secret


class Account(BaseModel):
    id: UUID
    email: str | None
    name: str
    avatar: str | None


class Tokens(BaseModel):
    """`app_token` goes into `Authorization: Bearer`; `refresh_token` is good for one renewal."""

    app_token: str
    refresh_token: str
    expires_at: datetime


class SignedIn(Tokens):
    user: Account


class AccountDetails(Account):
    created_at: datetime
    total_videos: int
    total_likes: int


@table.route(
    "POST",
    "/auth/dev",
    access=Access.PUBLIC,
    invalid="Invalid login",
    errors={404: "Not found"},
    limit=Limit.SIGN_IN,
)
async def log_in_for_development(call: Call, body: DevLogin) -> SignedIn:
    """Sign in as a local user, by name alone (development only)"""
    if not call.services.settings.dev_login:
        raise Problem(404, "Not found")
    login = await call.services.logins.local(body.name, site_admin=body.admin)
    user = Account(id=login.user.id, email=login.user.email, name=login.user.name, avatar=login.user.avatar)
    return SignedIn(user=user, **_tokens(login).model_dump())


@table.route(
    "POST",
    "/auth/refresh",
    access=Access.PUBLIC,
    invalid="Invalid refresh request",
    errors={401: "Invalid refresh token"},
    limit=Limit.SIGN_IN,
)
async def refresh_login(call: Call, body: Refresh) -> Tokens:
    """Spend a refresh token for a new pair of tokens"""
    return _tokens(await call.services.logins.refresh(body.refresh_token))


@table.route("GET", "/auth/user", access=Access.USER)
async def get_account(call: Call) -> AccountDetails:
    """Who is signed in"""
    user = call.caller
    return AccountDetails(
        id=user.id,
        email=user.email,
        name=user.name,
        avatar=user.avatar,
        created_at=user.created_at,
        total_videos=await users.video_count(call.services.pool, user.id),
        total_likes=0,
    )


def _tokens(login: Login) -> Tokens:
    return Tokens(app_token=login.app_token, refresh_token=login.refresh_token, expires_at=login.expires_at)
