"""From a request to its handler and back: who calls, may they, is the input good; then the answer as JSON with an ETag."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import hdrs, web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from clipstream.gateway import idempotency
from clipstream.gateway.problems import Problem, describe
from clipstream.gateway.repository.idempotency import Use
from clipstream.gateway.routes.admission import admit
from clipstream.gateway.routes.api import JSON_LIMIT, Route
from clipstream.gateway.routes.conditional import etag_of
from clipstream.gateway.services import SERVICES, Services

M = TypeVar("M", bound=BaseModel)
BODY_PATIENCE_S = 30


def serve(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        call, path = await admit(route, request)
        arguments: dict[str, BaseModel | None] = {} if path is None else {"path": path}
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
        taken = "application/json" if route.form_model is None else "application/json or multipart/form-data"
        raise Problem(415, "Unsupported media type", [f"the body must be {taken}"])
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
