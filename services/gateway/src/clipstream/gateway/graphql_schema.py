"""What can be asked in GraphQL, and how much of it at once. The scan is all there is to do; everything else is REST."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    execute,
    parse,
    validate,
)
from pydantic import ValidationError

from clipstream.common.errors import ClipstreamError
from clipstream.gateway.problems import Problem, describe
from clipstream.gateway.routes.api import Call
from clipstream.gateway.routes.assets import ScanOrder, scan
from clipstream.gateway.routes.openapi import VERSION

MAX_TOKENS = 1000
MAX_DEPTH = 15  # the usual question for the schema itself is 13 deep
MAX_FIELDS = 300

_SDL = '''
"""An object of the store: key, video_id, status (registered, known or skipped) and reason."""
scalar ScannedFile

"""One page of the scan. What was known before counts as skipped."""
type Scan {
  found: Int!
  registered: Int!
  skipped: Int!
  files: [ScannedFile!]!
  nextCursor: String
}

type Query {
  "The version of this API."
  version: String!
}

type Mutation {
  "Look through the store and register what is new. The cursor is nextCursor of the page before."
  scanMediaFolder(streamId: ID, prefix: String, cursor: String): Scan!
}
'''

log = structlog.get_logger(__name__)


@dataclass
class Asking:
    """One request on its way through the resolvers."""

    call: Call
    scanned: bool = False


async def answer(
    call: Call, query: str, *, variables: Mapping[str, Any] | None, operation: str | None
) -> dict[str, Any]:
    """`data` and, where something went wrong, `errors`, as the GraphQL specification has them (§7)."""
    try:
        document = await asyncio.to_thread(_read, query)
    except Refused as refused:
        return {"errors": [error.formatted for error in refused.errors]}
    result = execute(
        SCHEMA, document, context_value=Asking(call), variable_values=dict(variables or {}), operation_name=operation
    )
    done = result if not asyncio.iscoroutine(result) else await result
    return dict(done.formatted)  # type: ignore[union-attr]


class Refused(Exception):
    """A document that is not executed."""

    def __init__(self, errors: Sequence[GraphQLError]) -> None:
        self.errors = errors


def _read(query: str) -> DocumentNode:
    """A document that is valid and small."""
    try:
        document = parse(query, max_tokens=MAX_TOKENS)
        errors = validate(SCHEMA, document, max_errors=10)
    except GraphQLError as error:
        raise Refused([error]) from error
    except RecursionError as error:  # a thousand brackets are few words, and too deep to be read
        raise Refused([GraphQLError(f"The question is too deep; {MAX_DEPTH} levels are allowed.")]) from error
    if errors:
        raise Refused(errors)
    sizes = _Sizes({d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)})
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            fields, depth = sizes.of(definition.selection_set)
            if depth > MAX_DEPTH:
                raise Refused([GraphQLError(f"The question is {depth} levels deep; {MAX_DEPTH} are allowed.")])
            if fields > MAX_FIELDS:
                raise Refused([GraphQLError(f"The question asks for {fields} fields; {MAX_FIELDS} are allowed.")])
    return document


@dataclass
class _Sizes:
    """How many fields there are to answer and how deep, with fragments put in. Valid documents have no cycles of them."""

    fragments: Mapping[str, FragmentDefinitionNode]
    known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def of(self, selections: SelectionSetNode | None) -> tuple[int, int]:
        total, deepest = 0, 0
        for node in () if selections is None else selections.selections:
            if isinstance(node, FieldNode):
                fields, depth = self.of(node.selection_set)
                fields, depth = fields + 1, depth + 1
            elif isinstance(node, FragmentSpreadNode):
                fields, depth = self._fragment(node.name.value)
            else:
                assert isinstance(node, InlineFragmentNode)  # noqa: S101 - there are three kinds
                fields, depth = self.of(node.selection_set)
            total, deepest = total + fields, max(deepest, depth)
        return total, deepest

    def _fragment(self, name: str) -> tuple[int, int]:
        if name not in self.known:
            self.known[name] = self.of(self.fragments[name].selection_set)
        return self.known[name]


async def _scan(_: object, info: GraphQLResolveInfo[Asking], **given: Any) -> dict[str, Any]:
    """One page. Refusals are those of the REST route, with their status beside them."""
    asking = info.context
    if asking.scanned:
        raise GraphQLError("One scan is made at a time: send another request.")
    asking.scanned = True
    try:
        names = {"stream_id": "streamId", "prefix": "prefix", "cursor": "cursor"}
        order = ScanOrder.model_validate_json(json.dumps({name: given.get(said) for name, said in names.items()}))
        done = await scan(asking.call, order)
    except ValidationError as error:
        raise _refusal(Problem(400, "Invalid request", describe(error))) from error
    except Problem as problem:
        raise _refusal(problem) from problem
    except ClipstreamError as error:
        raise _refusal(Problem(503, "Service unavailable", [str(error)])) from error
    except Exception as error:
        log.exception("scan_failed")
        raise _refusal(Problem(500, "Internal error")) from error
    shown = done.model_dump(mode="json")
    return shown | {"nextCursor": shown["next_cursor"]}


def _refusal(problem: Problem) -> GraphQLError:
    details = {"details": problem.details} if problem.details else {}
    return GraphQLError(problem.error, extensions={"status": problem.status} | details)


def _schema() -> GraphQLSchema:
    schema = build_schema(_SDL)
    if schema.query_type is not None and schema.mutation_type is not None:
        schema.query_type.fields["version"].resolve = lambda *_: VERSION
        schema.mutation_type.fields["scanMediaFolder"].resolve = _scan
    return schema


SCHEMA = _schema()
