"""Walks the whole access matrix against a running gateway."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import pytest

from clipstream.gateway.access import Access, Scope
from clipstream.gateway.app import ROUTES
from integration.gateway.access_matrix import EVERYBODY, MATRIX, Rule
from integration.gateway.conftest import Friends
from integration.gateway.scenes import scene
from integration.gateway.world import Answer, Somebody, World, unknown

SCOPES = {(route.method, route.path): route.scope for route in ROUTES}


def test_every_route_is_in_the_matrix_and_no_other() -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(MATRIX)


def test_every_rule_speaks_of_everybody() -> None:
    for route, rule in MATRIX.items():
        assert set(rule.answers) == set(EVERYBODY), route


def test_only_public_and_signed_routes_answer_nobody() -> None:
    for route in ROUTES:
        answers = MATRIX[route.method, route.path].answers
        no_token_needed = answers["nobody"] != 401 or set(answers.values()) == {401}
        assert no_token_needed == (route.access in (Access.PUBLIC, Access.SIGNED)), route.path


async def _ask(who: Somebody, method: str, template: str, rule: Rule, ids: dict[str, str]) -> Answer:
    path = (rule.path or template).format(**ids) + rule.query.format(**ids)
    return await who.ask(method, path, **({} if rule.body is None else {"json": _filled(rule.body, ids)}))


def _filled(body: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    return {name: ids.get(value[1:-1], value) if isinstance(value, str) else value for name, value in body.items()}


async def _status_of_stream(who: Somebody, path: str) -> int:
    """The status alone: the stream itself would go on for ever."""
    headers = {} if who.token is None else {"Authorization": f"Bearer {who.token}"}
    async with asyncio.timeout(10), who.session.get(f"{who.base}{path}", headers=headers) as response:
        return response.status


async def test_everybody_gets_what_the_matrix_says(world: World, friends: Friends) -> None:
    shared = await scene(world, friends)
    wrong = []
    async with world.running():
        for (method, template), rule in MATRIX.items():
            for name in EVERYBODY:
                ids = await scene(world, friends, fresh=True) if rule.changes else shared
                who = await _somebody(world, friends, name, SCOPES[method, template])
                if rule.streams:
                    status = await _status_of_stream(who, template.format(**ids))
                else:
                    status = (await _ask(who, method, template, rule, ids)).status
                if status != rule.answers[name]:
                    wrong.append(f"{method} {template} as {name}: {status}, not {rule.answers[name]}")
    assert wrong == []


async def _somebody(world: World, friends: Friends, name: str, scope: Scope | None) -> Somebody:
    if name == "nobody":
        return world.nobody
    if name == "key":
        return await world.key(friends.owner, [other for other in get_args(Scope) if other != scope])
    found: Somebody = getattr(friends, name)
    return found


@pytest.mark.parametrize(
    "bad", ["unknown", "not-an-id", "%00", "..%2f..", "1", "{}", "%ff", "0" * 400, "'%20or%201=1%20--"]
)
async def test_unknown_things_are_not_found_and_nothing_fails(world: World, friends: Friends, bad: str) -> None:
    ids = await scene(world, friends)
    ids |= dict.fromkeys(("stream_id", "video_id"), unknown() if bad == "unknown" else bad)
    wrong = []
    for (method, template), rule in MATRIX.items():
        if "{stream_id}" in template or "{video_id}" in template:
            answer = await _ask(friends.admin, method, template, rule, ids)
            if rule.path is None and answer.status != 404:
                wrong.append(f"{method} {template}: {answer.status}")
            if answer.status >= 500 or not answer.error:
                wrong.append(f"{method} {template}: {answer.status} {answer.raw!r}")
    assert wrong == []


@pytest.mark.parametrize(
    ("method", "path", "who", "status", "error"),
    [
        ("GET", "/streams/{stream}", "outsider", 403, "Access denied"),
        ("GET", "/streams/{unknown}", "outsider", 404, "Stream not found"),
        ("GET", "/videos/{video}", "outsider", 403, "Access denied"),
        ("GET", "/videos/{unknown}", "outsider", 404, "Video not found"),
        ("GET", "/videos/{video}/stream", "outsider", 403, "Access denied"),
        ("GET", "/videos/{unknown}/stream", "viewer", 404, "Video not found"),
        ("DELETE", "/videos/{video}", "creator", 403, "Access denied"),
        ("POST", "/streams/{stream}/videos", "viewer", 403, "Creator access required"),
        ("POST", "/streams/{stream}/videos", "outsider", 403, "Creator access required"),
        ("GET", "/search?q=x&stream_id={stream}", "outsider", 403, "Access denied"),
        ("GET", "/search?q=x&stream_id={unknown}", "viewer", 404, "Stream not found"),
        ("GET", "/videos/{video}/duplicates", "viewer", 404, "Not a duplicate video"),
    ],
)
async def test_refusals_in_words(
    world: World, friends: Friends, method: str, path: str, who: str, status: int, error: str
) -> None:
    video = await world.uploaded(friends.uploader, friends.stream_id)
    filled = path.format(stream=friends.stream_id, video=video, unknown=unknown())
    answer = await getattr(friends, who).ask(method, filled, json={"filename": "a.mp4", "size": 1})
    assert (answer.status, answer.error) == (status, error)


async def test_a_role_that_is_taken_away_is_gone_at_once(world: World, friends: Friends) -> None:
    video = await world.uploaded(friends.uploader, friends.stream_id)
    assert (await friends.viewer.get(f"/videos/{video}")).status == 200
    await world.pool.execute("DELETE FROM members WHERE user_id = $1", friends.viewer.user_id)
    assert (await friends.viewer.get(f"/videos/{video}")).status == 403
    await world.join(friends.stream_id, friends.uploader, "viewer")
    assert (await friends.uploader.ask("DELETE", f"/videos/{video}")).status == 403


async def test_another_streams_videos_are_in_no_list(world: World, friends: Friends) -> None:
    await world.uploaded(friends.uploader, friends.stream_id)
    other = await world.stream(friends.outsider)
    assert (await friends.outsider.get(f"/streams/{other}/videos")).json["videos"] == []
    assert [s["id"] for s in (await friends.outsider.get("/streams")).json["streams"]] == [other]
