"""GraphQL's door. Who may come in is decided as everywhere else; what is wrong with a question is told in GraphQL's shape."""

from __future__ import annotations

import json
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, StringConstraints

from clipstream.gateway import graphql_schema
from clipstream.gateway.access import Access
from clipstream.gateway.limits import Limit
from clipstream.gateway.routes.api import Body, Call, RouteTable

table = RouteTable("operator")


class Question(Body):
    """A request as GraphQL over HTTP has it."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
    variables: dict[str, Any] | None = None
    operationName: Annotated[str, StringConstraints(max_length=200)] | None = None  # noqa: N815 - the protocol's name
    extensions: dict[str, Any] | None = None


class GraphQLAnswer(BaseModel):
    """Either may be missing."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None


@table.route("POST", "/graphql", access=Access.SITE_ADMIN, scope="admin", limit=Limit.UPLOAD)
async def ask_graphql(call: Call, body: Question) -> GraphQLAnswer | web.Response:
    """Ask in GraphQL: `mutation { scanMediaFolder { found registered skipped files } }`"""
    said = await graphql_schema.answer(call, body.query, variables=body.variables, operation=body.operationName)
    return web.Response(body=json.dumps(said).encode(), content_type="application/json")
