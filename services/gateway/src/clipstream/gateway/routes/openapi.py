"""The OpenAPI 3.1 document, made from the route table. pydantic writes JSON Schema 2020-12, which is 3.1's own dialect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from clipstream.gateway.access import Access, refusal
from clipstream.gateway.idempotency import HEADER
from clipstream.gateway.problems import ErrorBody
from clipstream.gateway.routes.api import Route

VERSION = "0.1.0"
_REF = "#/components/schemas/{model}"

_IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "description": "The same key with the same request carries it out once; the answer is kept for a day.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}

Schemas = Mapping[tuple[Any, JsonSchemaMode], dict[str, Any]]


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document as JSON-ready values."""
    table = list(routes)
    used = list(dict.fromkeys(pair for route in table for pair in _models(route)))
    schemas, definitions = models_json_schema(used, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        path = re.sub(r"\{(\w+):[^}]+\}", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clipstream",
            "version": VERSION,
            "description": "A home for a group's gameplay clips. Times are ISO 8601 UTC, positions in a clip are seconds.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(definitions.get("$defs", {}).items())),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token (`app_token`) or an API key (`csk_...`).",
                }
            },
        },
    }


def _models(route: Route) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    for model in (route.body_model, route.form_model):
        if model is not None:
            yield model, "validation"
    for answer in (route.answer, *route.also.values()):
        if answer is not None:
            yield answer, "serialization"
    yield ErrorBody, "serialization"


def _operation(route: Route, schemas: Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": _responses(route, schemas),
    }
    if parameters := [*_parameters(route.path_model, "path"), *_parameters(route.query_model, "query")]:
        operation["parameters"] = parameters
    if route.idempotent:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    if content := _request_content(route, schemas):
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    if route.access not in (Access.PUBLIC, Access.SIGNED):
        operation["security"] = [{"bearer": []}]
        if route.scope is None:
            operation["description"] = "Needs a login; an API key will not do."
        else:
            operation["description"] = f"API keys need the scope `{route.scope}`."
    return operation


def _parameters(model: type[BaseModel] | None, place: str) -> Iterator[dict[str, Any]]:
    if model is None:
        return
    schema = model.model_json_schema(ref_template=_REF)
    for name, form in schema.get("properties", {}).items():
        described = {"description": form.pop("description")} if "description" in form else {}
        form.pop("title", None)
        yield {
            "name": name,
            "in": place,
            "required": name in schema.get("required", ()),
            "schema": form,
            **described,
        }


def _request_content(route: Route, schemas: Schemas) -> dict[str, Any]:
    content = {}
    if route.body_model is not None:
        content["application/json"] = {"schema": schemas[route.body_model, "validation"]}
    if route.form_model is not None:
        content["multipart/form-data"] = {"schema": schemas[route.form_model, "validation"]}
    return content


def _responses(route: Route, schemas: Schemas) -> dict[str, Any]:
    answers: dict[int, dict[str, Any]] = {}
    if route.method == "GET" and (route.answer is not None or route.content):
        answers[304] = {}
    if route.content:
        answers[route.status] = {"content": {kind: {} for kind in route.content}}
    elif route.answer is not None:
        answers[route.status] = _json(schemas[route.answer, "serialization"])
    else:
        answers[route.status] = {}
    for status, model in route.also.items():
        answers[status] = _json(schemas[model, "serialization"])
    error = _json(schemas[ErrorBody, "serialization"])
    if "text/html" in route.content:  # people get their refusals as pages
        error["content"]["text/html"] = {}
    texts = _refusals(route)
    for status, text in texts.items():
        answers.setdefault(status, {"description": text, **error})
    if 429 in answers:
        answers[429] = {**answers[429], "headers": {"Retry-After": _header("Seconds to wait", "integer")}}
    if route.location is not None:
        answers[route.status] = {**answers[route.status], "headers": {"Location": _header("Its address", "string")}}
    named = {
        str(status): {"description": HTTPStatus(status).phrase, **answer} for status, answer in sorted(answers.items())
    }
    return named | {"default": {"description": "Any other refusal", **error}}


def _header(description: str, kind: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": kind}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _refusals(route: Route) -> dict[int, str]:
    texts: dict[int, str] = {429: "Too many requests"}
    if route.idempotent:
        texts |= {409: "Request still running", 422: "Idempotency key already used"}
    if route.access not in (Access.PUBLIC, Access.SIGNED):
        texts[401] = "Authentication required"
    if route.access not in (Access.PUBLIC, Access.SIGNED):
        texts[403] = refusal(route.access) or "Insufficient scope"
    if route.path_model is not None:
        texts[404] = route.path_model.missing
    if route.query_model is not None or route.body_model is not None:
        texts[400] = route.invalid
    if route.body_model is not None:
        texts |= {408: "Request timed out", 413: "Request body too large", 415: "Unsupported media type"}
    return texts | dict(route.errors)
