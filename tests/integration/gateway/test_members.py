"""Members: who sees them, who changes them, and that a stream never loses its last admin, whoever acts at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest

from clipstream.common.contracts.events import ClipDeleted
from clipstream.common.contracts.keys import ObjectKey
from clipstream.common.errors import NotFound
from integration.gateway.conftest import Friends
from integration.gateway.world import Somebody, World, unknown

ROUNDS = 12
STAYS = "A stream needs an admin"


def _place(friends: Friends, who: Somebody) -> str:
    return f"/streams/{friends.stream_id}/members/{who.user_id}"


async def _roles(world: World, friends: Friends) -> dict[UUID, str]:
    rows = await world.rows("members", stream_id=UUID(friends.stream_id))
    return {row["user_id"]: row["role"] for row in rows}


async def _owner_is_an_admin(world: World, friends: Friends) -> bool:
    owner = (await world.rows("streams", id=UUID(friends.stream_id)))[0]["owner_id"]
    return (await _roles(world, friends)).get(owner) == "admin"


async def test_the_list_by_pages(world: World, friends: Friends) -> None:
    seen: list[dict[str, Any]] = []
    address = f"/streams/{friends.stream_id}/members?limit=2"
    cursor = ""
    while True:
        page = (await friends.viewer.get(f"{address}{cursor}")).json
        seen += page["members"]
        if page["next_cursor"] is None:
            break
        assert len(page["members"]) == 2
        cursor = f"&cursor={page['next_cursor']}"
    assert {member["name"]: member["role"] for member in seen} == {
        "owner": "admin",
        "admin": "admin",
        "uploader": "creator",
        "creator": "creator",
        "viewer": "viewer",
    }
    assert [member["name"] for member in seen if member["owner"]] == ["owner"]
    assert len(seen) == 5
    assert set(seen[0]) == {"id", "name", "avatar", "role", "joined_at", "owner"}
    assert [member["joined_at"] for member in seen] == sorted((m["joined_at"] for m in seen), reverse=True)


async def test_a_new_role_is_good_at_once(world: World, friends: Friends) -> None:
    upload = {"filename": "a.mp4", "size": 1}
    assert (await friends.viewer.post(f"/streams/{friends.stream_id}/videos", upload)).status == 403
    changed = await friends.admin.ask("PUT", _place(friends, friends.viewer), json={"role": "creator"})
    assert (changed.status, changed.json["role"], changed.json["name"]) == (200, "creator", "viewer")
    assert (await friends.viewer.post(f"/streams/{friends.stream_id}/videos", upload)).status == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": None},
        {"role": "Admin"},
        {"role": "ADMIN"},
        {"role": "admin "},
        {"role": "owner"},
        {"role": "аdmin"},
        {"role": ["admin"]},
        {"role": "creator", "owner": True},
        {"role": "creator", "id": "00000000-0000-0000-0000-000000000000"},
        {"role": "creator", "user_id": "00000000-0000-0000-0000-000000000000"},
        {"role": "creator", "joined_at": "2000-01-01T00:00:00Z"},
        [],
    ],
)
async def test_roles_that_are_none(world: World, friends: Friends, body: Any) -> None:
    before = await _roles(world, friends)
    answer = await friends.admin.ask("PUT", _place(friends, friends.viewer), json=body)
    assert (answer.status, answer.error) == (400, "Invalid role")
    assert await _roles(world, friends) == before


async def test_nobody_raises_themself(world: World, friends: Friends) -> None:
    for who in (friends.viewer, friends.creator, friends.outsider, friends.revoked, friends.site_admin):
        answer = await who.ask("PUT", _place(friends, who), json={"role": "admin"})
        assert (answer.status, answer.error) == (403, "Admin access required")


async def test_leaving(world: World, friends: Friends) -> None:
    assert (await friends.viewer.ask("DELETE", _place(friends, friends.viewer))).status == 204
    assert (await friends.viewer.get(f"/streams/{friends.stream_id}")).status == 403
    again = await friends.viewer.ask("DELETE", _place(friends, friends.viewer))
    assert (again.status, again.error) == (403, "Admin access required")
    assert (await friends.admin.ask("DELETE", _place(friends, friends.admin))).status == 204, "an admin may leave too"


async def test_only_admins_remove_others(world: World, friends: Friends) -> None:
    for who in (friends.viewer, friends.creator, friends.outsider, friends.site_admin):
        answer = await who.ask("DELETE", _place(friends, friends.uploader))
        assert (answer.status, answer.error) == (403, "Admin access required")
    assert (await friends.admin.ask("DELETE", _place(friends, friends.uploader))).status == 204
    gone = await friends.admin.ask("DELETE", _place(friends, friends.uploader))
    assert (gone.status, gone.error) == (404, "Member not found")


@pytest.mark.parametrize(
    ("method", "body"), [("DELETE", None), ("PUT", {"role": "viewer"})], ids=["removed", "demoted"]
)
async def test_what_somebody_had_begun_to_send_ends_with_their_standing(
    world: World, friends: Friends, method: str, body: Any
) -> None:
    """An address that was signed before still takes the file; nothing comes of it."""
    kept = await world.uploaded(friends.uploader, friends.stream_id)
    others = await world.announced(friends.creator, friends.stream_id)
    elsewhere = await world.announced(friends.uploader, await world.stream(friends.uploader))
    began = await world.announced(friends.uploader, friends.stream_id)
    chunked = await world.announced(friends.uploader, friends.stream_id)
    assert (await friends.uploader.post(f"/videos/{chunked['id']}/uploads")).status == 201
    address = f"/streams/{friends.stream_id}/members/{friends.uploader.user_id}"
    more = {} if body is None else {"json": body}
    assert (await friends.admin.ask(method, address, **more)).status in (200, 204)
    assert (await world.send(began["upload"])).status == 200
    await world.pool.execute("UPDATE videos SET look_at = now()")
    await world.gateway.sweeper.sweep()
    left = {str(row["id"]) for row in await world.rows("videos")}
    assert left == {str(kept), others["id"], elsewhere["id"]}
    with pytest.raises(NotFound):
        await world.store.head(ObjectKey(began["upload"]["key"]))
    assert await world.rows("uploads") == []
    told = [json.loads(row["body"]) for row in await world.rows("outbox")]
    gone = {event["subject"] for event in told if event["type"] == ClipDeleted.type}
    assert gone == {began["id"], chunked["id"]}


async def test_the_owner_stays(world: World, friends: Friends) -> None:
    for who in (friends.owner, friends.admin):
        removed = await who.ask("DELETE", _place(friends, friends.owner))
        assert (removed.status, removed.error) == (409, STAYS)
        assert removed.json["details"]
        demoted = await who.ask("PUT", _place(friends, friends.owner), json={"role": "viewer"})
        assert (demoted.status, demoted.error) == (409, STAYS)
    assert (await friends.admin.ask("PUT", _place(friends, friends.owner), json={"role": "admin"})).status == 200
    assert await _owner_is_an_admin(world, friends)


async def test_another_streams_admin_is_nobody_here(world: World, friends: Friends) -> None:
    theirs = await world.stream(friends.outsider)
    await world.join(theirs, friends.viewer, "viewer")
    for method in ("PUT", "DELETE"):
        answer = await friends.outsider.ask(method, _place(friends, friends.viewer), json={"role": "viewer"})
        assert answer.status == 403
        there = await friends.admin.ask(method, f"/streams/{theirs}/members/{friends.viewer.user_id}", json={})
        assert there.status == 403


@pytest.mark.parametrize("user_id", ["unknown", "x", "%00", "..%2f", "me", "0" * 300])
async def test_members_who_are_none(world: World, friends: Friends, user_id: str) -> None:
    for method in ("PUT", "DELETE"):
        path = f"/streams/{friends.stream_id}/members/{unknown() if user_id == 'unknown' else user_id}"
        answer = await friends.admin.ask(method, path, json={"role": "viewer"})
        assert (answer.status, answer.error) == (404, "Member not found")


async def test_two_admins_who_demote_each_other_at_once(world: World, friends: Friends) -> None:
    other = friends.creator
    for _ in range(ROUNDS):
        await world.join(friends.stream_id, friends.admin, "admin")
        await world.join(friends.stream_id, other, "admin")
        answers = await asyncio.gather(
            friends.admin.ask("PUT", _place(friends, other), json={"role": "viewer"}),
            other.ask("PUT", _place(friends, friends.admin), json={"role": "viewer"}),
        )
        assert sorted(answer.status for answer in answers) == [200, 403]
        roles = await _roles(world, friends)
        assert {roles[friends.admin.user_id or UUID(int=0)], roles[other.user_id or UUID(int=0)]} == {"admin", "viewer"}


async def test_two_admins_who_remove_each_other_at_once(world: World, friends: Friends) -> None:
    other = friends.creator
    for _ in range(ROUNDS):
        await world.join(friends.stream_id, friends.admin, "admin")
        await world.join(friends.stream_id, other, "admin")
        answers = await asyncio.gather(
            friends.admin.ask("DELETE", _place(friends, other)), other.ask("DELETE", _place(friends, friends.admin))
        )
        assert sorted(answer.status for answer in answers) == [204, 403]


async def test_whoever_gets_the_stream_while_being_demoted_ends_as_its_admin(world: World, friends: Friends) -> None:
    """A transfer at the same time as the new owner is demoted, is removed, or leaves."""
    address = f"/streams/{friends.stream_id}/transfer"
    heir = friends.creator
    for round_ in range(ROUNDS):
        await world.join(friends.stream_id, friends.owner, "admin")
        await world.join(friends.stream_id, heir, "admin")
        await world.pool.execute("UPDATE streams SET owner_id = $1", friends.owner.user_id)
        who, method = [(friends.admin, "PUT"), (friends.admin, "DELETE"), (heir, "DELETE")][round_ % 3]
        answers = await asyncio.gather(
            friends.owner.post(address, {"user_id": str(heir.user_id)}),
            who.ask(method, _place(friends, heir), json={"role": "viewer"}),
        )
        assert answers[0].status in (200, 404)
        assert answers[1].status in (200, 204, 409)
        assert await _owner_is_an_admin(world, friends)
