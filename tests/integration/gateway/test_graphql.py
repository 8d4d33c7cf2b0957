"""GraphQL: one thing can be done in it, by operators, and no question is too greedy for the gateway."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_introspection_query

from clipstream.common.contracts.keys import ObjectKey
from integration.gateway.conftest import Friends
from integration.gateway.world import FILE, Answer, World

SCAN = "mutation { scanMediaFolder { found registered skipped files } }"


async def _ask(friends: Friends, query: str, **more: Any) -> Answer:
    return await friends.site_admin.post("/graphql", {"query": query} | more)


async def _errors(friends: Friends, query: str, **more: Any) -> list[str]:
    answer = await _ask(friends, query, **more)
    assert answer.status == 200
    return [error["message"] for error in answer.json["errors"]]


async def test_the_scan_by_graphql_is_the_same_scan(world: World, friends: Friends) -> None:
    made = await world.announced(friends.uploader, friends.stream_id)
    await world.send(made["upload"])
    answer = (await _ask(friends, SCAN)).json
    file = {"key": made["upload"]["key"], "video_id": made["id"], "status": "registered", "reason": None}
    assert answer == {"data": {"scanMediaFolder": {"found": 1, "registered": 1, "skipped": 0, "files": [file]}}}


async def test_graphql_takes_variables(world: World, friends: Friends) -> None:
    await world.join(friends.stream_id, friends.site_admin, "creator")
    await world.store.put(ObjectKey("import/a.mp4"), FILE, content_type="video/mp4")
    query = "mutation Go($s: ID, $p: String) { scanMediaFolder(streamId: $s, prefix: $p) { registered nextCursor } }"
    variables = {"s": friends.stream_id, "p": "import/"}
    answer = (await _ask(friends, query, variables=variables, operationName="Go")).json
    assert answer == {"data": {"scanMediaFolder": {"registered": 1, "nextCursor": None}}}
    bad = await _ask(friends, query, variables={"s": "x", "p": "../"}, operationName="Go")
    (error,) = bad.json["errors"]
    assert (error["message"], error["extensions"]["status"], error["path"]) == (
        "Invalid request",
        400,
        ["scanMediaFolder"],
    )
    assert len(error["extensions"]["details"]) == 2


async def test_the_schema_describes_itself_and_nothing_else_is_there(world: World, friends: Friends) -> None:
    answer = (await _ask(friends, get_introspection_query())).json
    assert "errors" not in answer
    types = {kind["name"]: kind for kind in answer["data"]["__schema"]["types"]}
    assert [f["name"] for f in types["Query"]["fields"]] == ["version"]
    assert [f["name"] for f in types["Mutation"]["fields"]] == ["scanMediaFolder"]
    assert (await _ask(friends, "{ version }")).json["data"]["version"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("{", "Syntax Error"),
        ("{ users { name } }", "Cannot query field 'users'"),
        ("{ version { a } }", "must not have a selection"),
        ("{ " + "version " * 400 + "}", "asks for 400 fields"),
        ("{ " + "version " * 1200 + "}", "contains more than 1000 tokens"),
        ("{ a " * 490, "too deep"),
        (
            "{ __schema { types { fields { type { ofType { ofType { ofType { ofType { ofType { ofType { ofType { ofType"
            "{ ofType { ofType { ofType { name } } } } } } } } } } } } } } } }",
            "levels deep",
        ),
        (
            "{ ...a ...a } "
            + "".join(
                f"fragment {x} on Query {{ ...{y} ...{y} ...{y} }} " for x, y in zip("abcdef", "bcdefg", strict=True)
            )
            + "fragment g on Query { version }",
            "asks for 1458 fields",
        ),
        ("mutation { a: scanMediaFolder { found } b: scanMediaFolder { found } }", "One scan is made at a time"),
        ("query A { version } query B { version }", "Must provide operation name"),
    ],
)
async def test_a_bad_or_greedy_question_is_refused_in_graphqls_shape(
    world: World, friends: Friends, query: str, words: str
) -> None:
    assert words in (await _errors(friends, query))[0]


@pytest.mark.parametrize("body", [{}, {"query": ""}, {"query": 1}, {"query": "{ version }", "variables": []}, []])
async def test_what_is_no_question_is_refused(world: World, friends: Friends, body: Any) -> None:
    assert (await friends.site_admin.post("/graphql", body)).status == 400


async def test_graphql_is_for_operators(world: World, friends: Friends) -> None:
    answer = await friends.owner.post("/graphql", {"query": SCAN})
    assert (answer.status, answer.error) == (403, "Admin access required")
