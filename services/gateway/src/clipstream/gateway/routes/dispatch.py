"""From a request to its handler and back: who calls, may they, is the input good; then the answer as JSON with an ETag."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import hdrs, web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from clipstream.gateway import access, idempotency
from clipstream.gateway.access import Access
from clipstream.gateway.auth import KEY_PREFIX, hash_token
from clipstream.gateway.limits import Limit, RateLimits
from clipstream.gateway.problems import Problem, authentication_required, describe, insufficient_scope, invalid_token
from clipstream.gateway.repository import keys, users
from clipstream.gateway.repository.idempotency import Use
from clipstream.gateway.routes.api import JSON_LIMIT, Call, MemberPath, Path, Route, StreamPath, VideoPath
from clipstream.gateway.routes.conditional import etag_of
from clipstream.gateway.services import SERVICES, Services

M = TypeVar("M", bound=BaseModel)
BODY_PATIENCE_S = 30


def serve(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        call = await _admit(route, request)
        arguments: dict[str, BaseModel | None] = {}
        if route.path_model is not None:
            path = arguments["path"] = _path(route.path_model, request)
            await _authorize(route, call, path)
        if route.query_model is not None:
            arguments["query"] = _query(route, route.query_model, request.query)
        if route.body_model is not None:
            arguments["body"] = await _body(route, route.body_model, request)

        async def run() -> web.StreamResponse:
            return _respond(route, request, await route.handler(call, **arguments))

        key = idempotency.key_of(request) if route.idempotent else None
        if key is None:
            return await run()
        use = Use(call.caller.id, f"{route.method} {route.path}", key)
        raw = None if arguments.get("body") is None else await request.read()
        return await call.services.answers.once(use, idempotency.fingerprint(request, raw), run)

    return handle


async def _admit(route: Route, request: web.Request) -> Call:
    """Who calls, if they do not call too often. Those whom we do not know share what their address may spend."""
    limits = request.app[SERVICES].limits
    address = limits.address(request)
    try:
        call = await _identify(route, request)
    except Problem:
        _spend(limits, Limit.ORDINARY, address)
        raise
    known = call.key_id or (call.user.id if call.user is not None else None)
    if known is None or route.limit in (Limit.SIGN_IN, Limit.GUESS):
        _spend(limits, route.limit, address)
    if known is not None and route.limit is not Limit.SIGN_IN:
        _spend(limits, route.limit, str(known))
    return call


def _spend(limits: RateLimits, limit: Limit, who: str) -> None:
    wait_s = limits.spend(limit, who)
    if wait_s is not None:
        raise Problem(429, "Too many requests", headers={hdrs.RETRY_AFTER: str(wait_s)})


async def _identify(route: Route, request: web.Request) -> Call:
    services = request.app[SERVICES]
    call = Call(request, services)
    if route.access in (Access.PUBLIC, Access.SIGNED):
        return call
    token = _bearer(request)
    if token.startswith(KEY_PREFIX):
        await _identify_by_key(route, call, token)
    else:
        claims = services.access_tokens.verify(token)
        call.user = await users.by_login(services.pool, claims.user_id, claims.login_id)
        call.token_expires_at = claims.expires_at
    if call.user is None:
        raise invalid_token()
    if route.access is Access.SITE_ADMIN and not call.user.site_admin:
        raise Problem(403, access.refusal(route.access) or "Access denied")
    return call


async def _identify_by_key(route: Route, call: Call, token: str) -> None:
    """An API key stands for its user, as far as its scopes go; what it lacks is told before anything is looked up."""
    key = await keys.use(call.services.pool, hash_token(token))
    if key is None:
        raise invalid_token()
    if route.scope is None:
        raise insufficient_scope("This needs a login: an API key will not do.", None)
    if route.scope not in key.scopes:
        raise insufficient_scope(f"This needs an API key with the scope {route.scope}.", route.scope)
    call.key_id, call.token_expires_at = key.id, key.expires_at
    call.user = await users.by_id(call.services.pool, key.user_id)


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


async def _authorize(route: Route, call: Call, path: Path) -> None:
    if route.access in (Access.PUBLIC, Access.SIGNED, Access.USER, Access.SITE_ADMIN):
        return
    pool = call.services.pool
    if isinstance(path, VideoPath):
        call.grant = await access.to_video(pool, route.access, path.video_id, call.caller.id)
    elif isinstance(path, StreamPath):
        named = path.user_id if isinstance(path, MemberPath) else None
        call.grant = await access.to_stream(pool, route.access, path.stream_id, call.caller.id, named=named)
    else:
        raise Problem(403, "Access denied")


def _query(route: Route, model: type[BaseModel], given: MultiMapping[str]) -> BaseModel:
    try:
        return model.model_validate(dict(given.items()))
    except ValidationError as error:
        raise Problem(400, route.invalid, describe(error)) from error


async def _body(route: Route, model: type[M], request: web.Request) -> M | None:
    if route.form_model is not None and request.content_type == "multipart/form-data":
        return None
    if route.body_optional and not request.body_exists:
        return None
    if request.content_type != "application/json":
        raise Problem(415, "Unsupported media type", ["the body must be application/json"])
    if (request.content_length or 0) > JSON_LIMIT:
        raise Problem(413, "Request body too large", [f"at most {JSON_LIMIT} bytes are taken"])
    try:
        async with asyncio.timeout(BODY_PATIENCE_S):
            raw = await request.read()  # bounded by the application's client_max_size
        return model.model_validate_json(raw)
    except TimeoutError as error:
        raise Problem(408, "Request timed out") from error
    except ValidationError as error:
        raise Problem(400, route.invalid, describe(error)) from error


def _respond(route: Route, request: web.Request, answer: BaseModel | web.StreamResponse | None) -> web.StreamResponse:
    if isinstance(answer, web.StreamResponse):
        return answer
    if answer is None:
        return web.Response(status=204)
    body = answer.model_dump_json().encode()
    headers = {"Cache-Control": "private, no-cache"}
    if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
        etag = headers["ETag"] = etag_of(body)
        if matches(request.headers.get(hdrs.IF_NONE_MATCH, ""), etag):
            return web.Response(status=304, headers=headers)
    if route.location is not None:
        headers[hdrs.LOCATION] = route.location.format(**{**request.match_info, **answer.model_dump(mode="json")})
    return web.Response(status=route.status, body=body, content_type="application/json", headers=headers)


def matches(if_none_match: str, etag: str) -> bool:
    """RFC 9110 §13.1.2, weak comparison."""
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag.removeprefix("W/") in given


def mount(application: web.Application, routes: list[Route], services: Services) -> None:
    """Add every route to the application; GET answers HEAD as well."""
    application[SERVICES] = services
    for route in routes:
        resource = application.router.add_resource(route.path)
        handler = serve(route)
        resource.add_route(route.method, handler)
        if route.method == hdrs.METH_GET:
            resource.add_route(hdrs.METH_HEAD, handler)
