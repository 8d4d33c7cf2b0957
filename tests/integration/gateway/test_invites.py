"""Invites: made by admins, seen by whoever has the code, spent exactly as often as they may be."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from clipstream.gateway.auth import hash_token
from integration.gateway.conftest import Friends
from integration.gateway.world import Answer, Somebody, World, unknown

CROWD = 50
INVALID = "Invalid invite parameters"


async def _invite(friends: Friends, **more: Any) -> dict[str, Any]:
    made = await friends.admin.post(f"/streams/{friends.stream_id}/invites", {"role": "viewer"} | more)
    assert made.status == 201, made.raw
    invite: dict[str, Any] = made.json
    return invite


async def _used(world: World, code: str) -> int:
    return int((await world.rows("invites", hash=hash_token(code)))[0]["used_count"])


async def _join(who: Somebody, code: str) -> Answer:
    return await who.post(f"/invites/{code}/join")


def _place(friends: Friends, code: str) -> str:
    return f"/streams/{friends.stream_id}/invites/{code}"


async def test_from_invite_to_member(world: World, friends: Friends) -> None:
    made = await friends.admin.post(
        f"/streams/{friends.stream_id}/invites", {"role": "creator", "usage_limit": 2, "expires_in": 3600}
    )
    assert set(made.json) == {"code", "role", "expires_at", "usage_limit", "created_at"}
    code = made.json["code"]
    left = datetime.fromisoformat(made.json["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    shown = await world.nobody.get(f"/invites/{code}")
    assert (shown.status, shown.json) == (
        200,
        {"stream_name": "Friday", "role": "creator", "usable": True, "expires_at": made.json["expires_at"]},
    )
    joined = await _join(friends.outsider, code)
    assert (joined.status, joined.json["stream_id"], joined.json["role"]) == (200, friends.stream_id, "creator")
    assert set(joined.json) == {"stream_id", "role", "joined_at"}
    assert (await friends.outsider.get(f"/streams/{friends.stream_id}")).json["user_role"] == "creator"
    details = (await friends.admin.get(_place(friends, code))).json
    assert (details["used_count"], details["usable"], details["created_by"]["name"]) == (1, True, "admin")


async def test_codes_are_shown_again_but_not_stored(world: World, friends: Friends) -> None:
    codes = [(await _invite(friends))["code"] for _ in range(3)]
    first = (await friends.owner.get(f"/streams/{friends.stream_id}/invites?limit=2")).json
    rest = (await friends.owner.get(f"/streams/{friends.stream_id}/invites?limit=2&cursor={first['next_cursor']}")).json
    assert [invite["code"] for invite in first["invites"] + rest["invites"]] == codes[::-1]
    assert rest["next_cursor"] is None
    assert all(len(code) == 24 for code in codes)
    once = {"Idempotency-Key": "once"}
    for _ in range(2):
        made = await friends.owner.post(f"/streams/{friends.stream_id}/invites", {"role": "viewer"}, headers=once)
        assert made.status == 201
    codes.append(made.json["code"])
    stored = f"{await world.rows('invites')}{await world.rows('idempotency_keys')}"
    assert not any(code in stored for code in codes)
    assert len(await world.rows("invites")) == len(codes)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "admin"},
        {"role": "owner"},
        {"role": "Viewer"},
        {"role": "VIEWER"},
        {"role": None},
        {"role": ["viewer"]},
        {"role": "viewer", "usage_limit": 0},
        {"role": "viewer", "usage_limit": -1},
        {"role": "viewer", "usage_limit": 10**12},
        {"role": "viewer", "usage_limit": 10**400},
        {"role": "viewer", "usage_limit": 1.5},
        {"role": "viewer", "usage_limit": "1"},
        {"role": "viewer", "usage_limit": True},
        {"role": "viewer", "expires_at": "2001-01-01T00:00:00Z"},
        {"role": "viewer", "expires_at": "2999-01-01T00:00:00Z"},
        {"role": "viewer", "expires_at": "2100-01-01T00:00:00"},
        {"role": "viewer", "expires_at": "tomorrow"},
        {"role": "viewer", "expires_at": 10**30},
        {"role": "viewer", "expires_in": 0},
        {"role": "viewer", "expires_in": -5},
        {"role": "viewer", "expires_in": 10**12},
        {"role": "viewer", "expires_in": "60"},
        {"role": "viewer", "expires_in": 60, "expires_at": "2100-01-01T00:00:00Z"},
        {"role": "viewer", "code": "mine"},
        {"role": "viewer", "stream_id": "00000000-0000-0000-0000-000000000000"},
        {"role": "viewer", "used_count": -10},
        {"role": "viewer", "created_by": "00000000-0000-0000-0000-000000000000"},
        [],
        "viewer",
    ],
)
async def test_invites_that_cannot_be(world: World, friends: Friends, body: Any) -> None:
    answer = await friends.admin.post(f"/streams/{friends.stream_id}/invites", body)
    assert (answer.status, answer.error) == (400, INVALID)
    assert answer.json["details"]
    assert await world.rows("invites") == []
    if isinstance(body, dict) and body not in ({}, {"role": "viewer", "code": "mine"}):
        kept = (await _invite(friends))["code"]
        before = await world.rows("invites")
        changed = await friends.admin.ask("PUT", _place(friends, kept), json=body)
        assert (changed.status, changed.error) == (400, INVALID)
        assert await world.rows("invites") == before


async def test_only_admins_see_and_make_them(world: World, friends: Friends) -> None:
    code = (await _invite(friends))["code"]
    for who in (friends.creator, friends.viewer, friends.outsider, friends.site_admin):
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("GET", f"/{code}"),
            ("PUT", f"/{code}"),
            ("DELETE", f"/{code}"),
        ):
            answer = await who.ask(method, f"/streams/{friends.stream_id}/invites{path}", json={"role": "viewer"})
            assert (answer.status, answer.error) == (403, "Admin access required")


async def test_changes(world: World, friends: Friends) -> None:
    code = (await _invite(friends, usage_limit=1, expires_in=60))["code"]
    changed = (await friends.admin.ask("PUT", _place(friends, code), json={"role": "creator", "usage_limit": 3})).json
    assert (changed["role"], changed["usage_limit"]) == ("creator", 3)
    assert changed["expires_at"] is not None, "what is not named stays"
    assert (await _join(friends.outsider, code)).json["role"] == "creator"
    assert (await _join(friends.revoked, code)).status == 200
    less = await friends.admin.ask("PUT", _place(friends, code), json={"usage_limit": 1})
    assert (less.status, less.error) == (400, INVALID)
    free = (await friends.admin.ask("PUT", _place(friends, code), json={"usage_limit": None, "expires_at": None})).json
    assert (free["usage_limit"], free["expires_at"], free["used_count"]) == (None, None, 2)
    longer = (await friends.admin.ask("PUT", _place(friends, code), json={"expires_in": 600})).json
    assert longer["expires_at"] is not None


async def _refused(world: World, who: Somebody, code: str, status: int, error: str) -> None:
    answer = await _join(who, code)
    assert (answer.status, answer.error) == (status, error)


async def test_refusals_in_words_cost_no_use(world: World, friends: Friends) -> None:
    code = (await _invite(friends, usage_limit=1))["code"]
    await _refused(world, friends.owner, code, 409, "Already a member of this stream")
    await _refused(world, friends.viewer, code, 409, "Already a member of this stream")
    assert await _used(world, code) == 0
    await world.pool.execute("UPDATE invites SET expires_at = now() - interval '1 second'")
    await _refused(world, friends.outsider, code, 400, "Invite expired")
    assert (await world.nobody.get(f"/invites/{code}")).json["usable"] is False
    await world.pool.execute("UPDATE invites SET expires_at = NULL")
    assert (await _join(friends.outsider, code)).status == 200
    await _refused(world, friends.revoked, code, 400, "Usage limit exceeded")
    await _refused(world, friends.outsider, code, 409, "Already a member of this stream")
    assert (await world.nobody.get(f"/invites/{code}")).json["usable"] is False
    assert await _used(world, code) == 1


async def test_a_deleted_invite_is_gone_at_once(world: World, friends: Friends) -> None:
    code = (await _invite(friends))["code"]
    assert (await friends.admin.ask("DELETE", _place(friends, code))).status == 204
    await _refused(world, friends.outsider, code, 404, "Invalid invite code")
    assert (await world.nobody.get(f"/invites/{code}")).error == "Invalid invite code"
    for method in ("GET", "PUT", "DELETE"):
        answer = await friends.admin.ask(method, _place(friends, code), json={"role": "viewer"})
        assert (answer.status, answer.error) == (404, "Invalid invite code")


@pytest.mark.parametrize(
    ("method", "body"), [("DELETE", None), ("PUT", {"role": "creator"})], ids=["removed", "demoted"]
)
async def test_an_invite_is_as_good_as_its_makers_standing(
    world: World, friends: Friends, method: str, body: Any
) -> None:
    """Whoever was removed lets nobody in, themself least of all."""
    made = await friends.admin.post(f"/streams/{friends.stream_id}/invites", {"role": "creator"})
    code = made.json["code"]
    more = {} if body is None else {"json": body}
    address = f"/streams/{friends.stream_id}/members/{friends.admin.user_id}"
    assert (await friends.owner.ask(method, address, **more)).status in (200, 204)
    for guest in (friends.admin, friends.outsider):
        answer = await guest.post(f"/invites/{code}/join")
        assert (answer.status, answer.error) == (404, "Invalid invite code")
    assert (await world.nobody.get(f"/invites/{code}")).status == 404
    shown = (await friends.owner.get(f"/streams/{friends.stream_id}/invites")).json["invites"]
    assert [(invite["code"], invite["usable"]) for invite in shown] == [(code, False)]
    assert (await friends.owner.ask("DELETE", f"/streams/{friends.stream_id}/invites/{code}")).status == 204


async def test_another_streams_code_is_not_found_here(world: World, friends: Friends) -> None:
    theirs = await world.stream(friends.outsider)
    code = (await friends.outsider.post(f"/streams/{theirs}/invites", {"role": "viewer"})).json["code"]
    for method in ("GET", "PUT", "DELETE"):
        answer = await friends.admin.ask(method, _place(friends, code), json={"role": "creator"})
        assert (answer.status, answer.error) == (404, "Invalid invite code")
    assert (await friends.outsider.get(f"/streams/{theirs}/invites/{code}")).json["role"] == "viewer"


@pytest.mark.parametrize("code", ["x", "%00", "%ff%fe", "..%2f", "a" * 24, "A" * 2000, "'%20or%20''='", "%F0%9F%8E%AE"])
async def test_codes_that_are_none(world: World, friends: Friends, code: str) -> None:
    for answer in (await world.nobody.get(f"/invites/{code}"), await friends.outsider.post(f"/invites/{code}/join")):
        assert (answer.status, answer.error) == (404, "Invalid invite code")
    answer = await friends.admin.get(_place(friends, code))
    assert (answer.status, answer.error) == (404, "Invalid invite code")


async def test_an_id_is_no_code(world: World, friends: Friends) -> None:
    await _invite(friends)
    row = (await world.rows("invites"))[0]
    for guess in (str(row["id"]), row["hash"].hex(), unknown()):
        assert (await world.nobody.get(f"/invites/{guess}")).status == 404


async def test_a_role_is_not_raised_by_joining(world: World, friends: Friends) -> None:
    code = (await _invite(friends, role="creator"))["code"]
    await _refused(world, friends.viewer, code, 409, "Already a member of this stream")
    assert (await friends.viewer.get(f"/streams/{friends.stream_id}")).json["user_role"] == "viewer"
    answer = await friends.outsider.post(
        f"/invites/{code}/join", {"role": "admin", "user_id": str(friends.admin.user_id)}
    )
    assert answer.json["role"] == "creator", "a body is not read"


async def _crowd(world: World) -> list[Somebody]:
    return [await world.person(f"guest {n}") for n in range(CROWD)]


@pytest.mark.parametrize("uses", [1, 7])
async def test_fifty_at_once_and_only_so_many_get_in(world: World, friends: Friends, uses: int) -> None:
    crowd = await _crowd(world)
    code = (await _invite(friends, usage_limit=uses))["code"]
    answers = await asyncio.gather(*(_join(guest, code) for guest in crowd))
    assert [answer.status for answer in answers].count(200) == uses
    assert {answer.error for answer in answers if answer.status != 200} == {"Usage limit exceeded"}
    members = {row["user_id"] for row in await world.rows("members", stream_id=UUID(friends.stream_id))}
    assert len(members & {guest.user_id for guest in crowd}) == uses == await _used(world, code)


async def test_one_guest_fifty_times_at_once_costs_one_use(world: World, friends: Friends) -> None:
    code = (await _invite(friends, usage_limit=CROWD))["code"]
    answers = await asyncio.gather(*(_join(friends.outsider, code) for _ in range(CROWD)))
    assert sorted(answer.status for answer in answers) == [200] + [409] * (CROWD - 1)
    assert await _used(world, code) == 1


async def test_one_guest_by_many_codes_at_once_costs_one_use(world: World, friends: Friends) -> None:
    codes = [(await _invite(friends, usage_limit=1))["code"] for _ in range(10)]
    answers = await asyncio.gather(*(_join(friends.outsider, code) for code in codes))
    assert sorted(answer.status for answer in answers) == [200] + [409] * 9
    assert sum([await _used(world, code) for code in codes]) == 1


async def test_a_limit_that_is_lowered_while_guests_come(world: World, friends: Friends) -> None:
    crowd = await _crowd(world)
    code = (await _invite(friends, usage_limit=CROWD))["code"]
    lowered, *answers = await asyncio.gather(
        friends.admin.ask("PUT", _place(friends, code), json={"usage_limit": 5}),
        *(_join(guest, code) for guest in crowd),
    )
    joined = [answer.status for answer in answers].count(200)
    assert joined == await _used(world, code)
    assert lowered.status == 400 or joined == 5
