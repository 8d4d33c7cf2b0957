"""Signing in, staying signed in, and every token that is none of ours."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from clipstream.gateway.auth import AUDIENCE, ISSUER, AccessTokens
from clipstream.gateway.signing import derive_key
from integration.gateway.world import SECRET, World, serving, settings, unknown

KEY = derive_key(SECRET, "access token")


async def test_a_local_user_signs_in_and_is_the_same_next_time(world: World) -> None:
    first = (await world.nobody.post("/auth/dev", {"name": "Ann"})).json
    again = (await world.nobody.post("/auth/dev", {"name": "ann"})).json
    assert first["user"]["id"] == again["user"]["id"]
    assert set(first) == {"user", "app_token", "refresh_token", "expires_at"}
    assert set(first["user"]) == {"id", "email", "name", "avatar"}
    account = await (await world.person("Ann")).get("/auth/user")
    assert set(account.json) == {"id", "email", "name", "avatar", "created_at", "total_videos", "total_likes"}


async def test_without_the_switch_there_is_no_development_login(gateway_database: str, tmp_path: Path) -> None:
    chosen = settings(gateway_database, tmp_path).model_copy(update={"dev_login": False})
    async with serving(chosen) as world:
        answer = await world.nobody.post("/auth/dev", {"name": "Ann"})
        assert (answer.status, answer.error) == (404, "Not found")


async def test_a_refresh_token_is_good_once(world: World) -> None:
    ann = await world.person("Ann")
    renewed = await world.nobody.post("/auth/refresh", {"refresh_token": ann.refresh_token})
    assert renewed.status == 200
    assert set(renewed.json) == {"app_token", "refresh_token", "expires_at"}
    again = await world.nobody.post("/auth/refresh", {"refresh_token": ann.refresh_token})
    assert (again.status, again.error) == (401, "Invalid refresh token")


async def test_a_stolen_refresh_token_ends_the_whole_login(world: World) -> None:
    ann = await world.person("Ann")
    renewed = (await world.nobody.post("/auth/refresh", {"refresh_token": ann.refresh_token})).json
    await world.nobody.post("/auth/refresh", {"refresh_token": ann.refresh_token})
    thief = await world.nobody.post("/auth/refresh", {"refresh_token": renewed["refresh_token"]})
    assert thief.status == 401


async def test_refresh_tokens_are_stored_hashed(world: World) -> None:
    ann = await world.person("Ann")
    stored = await world.rows("refresh_tokens")
    assert all(ann.refresh_token.encode() not in bytes(row["hash"]) for row in stored)
    assert len(stored) == 1


@pytest.mark.parametrize("token", ["", "x", "csr_unknown", "ä", "csr_\\ud800"])
async def test_no_refresh_token(world: World, token: str) -> None:
    raw = f'{{"refresh_token": "{token}"}}'.encode()
    answer = await world.nobody.ask("POST", "/auth/refresh", data=raw, headers={"Content-Type": "application/json"})
    assert answer.status in (400, 401)


def _claims(user: str, **change: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": now, "exp": now + timedelta(minutes=5), "jti": "1"}
    return {name: value for name, value in (good | change).items() if value is not None}


def _token(claims: dict[str, Any], *, key: bytes = KEY, alg: str = "HS256", typ: str | None = "at+jwt") -> str:
    return jwt.encode(claims, key, algorithm=alg, headers={"typ": typ})


def _unsigned(claims: dict[str, Any]) -> str:
    def part(value: dict[str, Any]) -> str:
        return (
            base64.urlsafe_b64encode(json.dumps(value, default=lambda d: int(d.timestamp())).encode())
            .rstrip(b"=")
            .decode()
        )

    return f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{part(claims)}."


PAST = datetime.now(UTC) - timedelta(minutes=1)
FORGED: dict[str, Callable[[str], str]] = {
    "another key": lambda u: _token(_claims(u), key=b"x" * 32),
    "the secret itself": lambda u: _token(_claims(u), key=SECRET.encode()),
    "no signature": lambda u: _unsigned(_claims(u)),
    "another algorithm": lambda u: _token(_claims(u), alg="HS512"),
    "expired": lambda u: _token(_claims(u, exp=PAST)),
    "from the future": lambda u: _token(_claims(u, nbf=datetime.now(UTC) + timedelta(hours=1))),
    "no expiry": lambda u: _token(_claims(u, exp=None)),
    "no jti": lambda u: _token(_claims(u, jti=None)),
    "another audience": lambda u: _token(_claims(u, aud="somebody-else")),
    "another issuer": lambda u: _token(_claims(u, iss="https://accounts.google.com")),
    "another type": lambda u: _token(_claims(u), typ="JWT"),
    "no type": lambda u: _token(_claims(u), typ=None),
    "no user": lambda u: _token(_claims(u, sub=None)),
    "user that is no id": lambda u: _token(_claims("root")),
    "user that is gone": lambda u: _token(_claims(unknown())),
    "critical header": lambda u: jwt.encode(
        _claims(u), KEY, algorithm="HS256", headers={"typ": "at+jwt", "crit": ["x"], "x": 1}
    ),
    "cut off": lambda u: _token(_claims(u))[:-4],
    "not a token": lambda u: "not.a.token",
    "one word": lambda u: "token",
    "very long": lambda u: "a" * 6000,
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_token_that_is_not_ours_is_refused(world: World, name: str) -> None:
    ann = await world.person("Ann")
    forged = FORGED[name](str(ann.user_id))
    answer = await world.nobody.get("/auth/user", headers={"Authorization": f"Bearer {forged}"})
    assert (answer.status, answer.error) == (401, "Invalid or expired token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_our_own_token_is_taken(world: World) -> None:
    ann = await world.person("Ann")
    token, _ = AccessTokens(SECRET, timedelta(minutes=10)).issue(ann.user_id)  # type: ignore[arg-type]
    assert (await world.nobody.get("/auth/user", headers={"Authorization": f"Bearer {token}"})).status == 200


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "bearerx"])
async def test_no_token_at_all(world: World, header: str | None) -> None:
    answer = await world.nobody.get("/streams", headers={} if header is None else {"Authorization": header})
    assert (answer.status, answer.error) == (401, "Authentication required")
