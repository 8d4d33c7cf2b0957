"""Lets a request in: who calls, not too often, and may they do this to the thing that the path names."""

from __future__ import annotations

from aiohttp import hdrs, web
from asyncpg import Record
from pydantic import ValidationError

from clipstream.gateway import access
from clipstream.gateway.access import Access
from clipstream.gateway.auth import KEY_PREFIX, hash_token
from clipstream.gateway.limits import Limit, RateLimits
from clipstream.gateway.problems import Problem, authentication_required, insufficient_scope, invalid_token
from clipstream.gateway.repository import keys, standing
from clipstream.gateway.routes.api import Call, Credentials, MemberPath, Path, Route, StreamPath, VideoPath
from clipstream.gateway.services import SERVICES

OPEN = (Access.PUBLIC, Access.SIGNED)


async def admit(route: Route, request: web.Request) -> tuple[Call, Path | None]:
    """The call and its path. One question to the database tells who calls and what they may do here."""
    call = Call(request, request.app[SERVICES])
    credentials = await _credentials(route, call)
    path = None if route.path_model is None else _path(route.path_model, request)
    if credentials is not None:
        call.credentials = credentials
        await _authorize(route, call, credentials, path)
    return call, path


async def _credentials(route: Route, call: Call) -> Credentials | None:
    """Those whom we do not know share what their address may spend."""
    limits, address = call.services.limits, call.services.limits.address(call.request)
    if route.access in OPEN:
        _spend(limits, route.limit, address)
        return None
    try:
        found = await _read(route, call)
    except Problem:
        _spend(limits, Limit.ORDINARY, address)
        raise
    if route.limit in (Limit.SIGN_IN, Limit.GUESS):
        _spend(limits, route.limit, address)
    if route.limit is not Limit.SIGN_IN:
        _spend(limits, route.limit, str(found.key_id or found.user_id))
    return found


def spend_as_caller(call: Call, limit: Limit) -> None:
    """For a request that costs more than its route says: take it out of the caller's own budget, or 429."""
    _spend(call.services.limits, limit, str(call.key_id or call.caller.id))


def _spend(limits: RateLimits, limit: Limit, who: str) -> None:
    wait_s = limits.spend(limit, who)
    if wait_s is not None:
        raise Problem(429, "Too many requests", headers={hdrs.RETRY_AFTER: str(wait_s)})


async def _read(route: Route, call: Call) -> Credentials:
    token = _bearer(call.request)
    if token.startswith(KEY_PREFIX):
        return await _read_key(route, call, token)
    claims = call.services.access_tokens.verify(token)
    return Credentials(claims.user_id, claims.login_id, None, claims.expires_at)


async def _read_key(route: Route, call: Call, token: str) -> Credentials:
    """An API key stands for its user, as far as its scopes go; what it lacks is told before anything is looked up."""
    key = await keys.use(call.services.pool, hash_token(token))
    if key is None:
        raise invalid_token()
    if route.scope is None:
        raise insufficient_scope("This needs a login: an API key will not do.", None)
    if route.scope not in key.scopes:
        raise insufficient_scope(f"This needs an API key with the scope {route.scope}.", route.scope)
    return Credentials(key.user_id, None, key.id, key.expires_at)


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise authentication_required()
    return token.strip()


def _path(model: type[Path], request: web.Request) -> Path:
    try:
        return model.model_validate(dict(request.match_info))
    except ValidationError as error:
        raise Problem(404, model.missing) from error


async def _authorize(route: Route, call: Call, credentials: Credentials, path: Path | None) -> None:
    row = await _standing(route, call, credentials, path)
    if row is None:
        raise invalid_token()
    call.user = user = standing.caller(row)
    if route.access is Access.SITE_ADMIN and not user.site_admin:
        raise Problem(403, access.refusal(route.access) or "Access denied")
    if route.access in (Access.USER, Access.SITE_ADMIN):
        return
    if isinstance(path, VideoPath):
        call.grant = access.judge_video(route.access, row, user.id)
        call.video = row
    elif isinstance(path, StreamPath):
        named = path.user_id if isinstance(path, MemberPath) else None
        call.grant = access.judge_stream(route.access, row, user.id, named=named)
    else:
        raise Problem(403, "Access denied")


async def _standing(route: Route, call: Call, credentials: Credentials, path: Path | None) -> Record | None:
    pool, who = call.services.pool, (credentials.user_id, credentials.login_id)
    if route.access not in (Access.USER, Access.SITE_ADMIN):
        if isinstance(path, VideoPath):
            return await standing.to_video(pool, *who, path.video_id)
        if isinstance(path, StreamPath):
            return await standing.in_stream(pool, *who, path.stream_id)
    return await standing.alone(pool, *who)
