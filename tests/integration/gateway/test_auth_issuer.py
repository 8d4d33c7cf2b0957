"""Signing in with an OpenID Connect issuer. ID tokens that are not good: test_auth_forged_id_tokens.py."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
import structlog

from clipstream.gateway.issuer_keys import IssuerKeys
from clipstream.gateway.oidc import GOOGLE, IdTokens
from fixtures.issuer import CLIENT, Issuer
from integration.gateway.world import Answer, Somebody, World, serving, settings

UNREACHABLE = "Failed to verify token with Google"


@pytest.fixture
async def world(gateway_database: str, tmp_path: Path, issuer: Issuer) -> AsyncIterator[World]:
    chosen = settings(gateway_database, tmp_path, oidc_issuer=issuer.url, oidc_client_id=CLIENT)
    async with serving(chosen) as made:
        yield made


async def _verify(world: World, token: str, **more: Any) -> Answer:
    return await world.nobody.post("/auth/verify", {"id_token": token} | more)


async def test_somebody_the_issuer_vouches_for_is_in(world: World, issuer: Issuer) -> None:
    answer = await _verify(world, issuer.token())
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert set(answer.json) == {"user", "app_token", "refresh_token", "expires_at"}
    user = answer.json["user"]
    assert UUID(user.pop("id"))
    assert user == {
        "email": "ann@example.org",
        "name": "Ann Example",
        "avatar": "https://pictures.example.org/ann.png",
    }
    account = await Somebody(world.session, world.base, answer.json["app_token"]).get("/auth/user")
    assert account.json["name"] == "Ann Example"
    assert (await world.nobody.post("/auth/refresh", {"refresh_token": answer.json["refresh_token"]})).status == 200
    (row,) = await world.rows("users")
    assert (row["issuer"], row["subject"], row["site_admin"]) == (issuer.url, "1234567890", False)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_every_algorithm_we_know(world: World, issuer: Issuer, algorithm: str) -> None:
    issuer.rotate(algorithm)
    assert (await _verify(world, issuer.token())).status == 200
    assert (await _verify(world, issuer.token(headers={"typ": "JWT"}))).status == 200


async def test_a_person_is_issuer_and_subject_and_nothing_else(world: World, issuer: Issuer) -> None:
    first = (await _verify(world, issuer.token())).json["user"]
    renamed = (await _verify(world, issuer.token(name="Ann B", email="b@example.org"))).json["user"]
    assert (renamed["id"], renamed["name"], renamed["email"]) == (first["id"], "Ann B", "b@example.org")
    another = (await _verify(world, issuer.token(sub="other", email="b@example.org"))).json["user"]
    assert another["id"] != first["id"]
    cased = (await _verify(world, issuer.token(sub="Other"))).json["user"]
    assert cased["id"] not in (first["id"], another["id"])
    local = (await world.nobody.post("/auth/dev", {"name": "1234567890"})).json["user"]
    assert local["id"] != first["id"]


@pytest.mark.parametrize("verified", [None, False, "true", 1])
async def test_an_address_that_nobody_verified_is_not_shown(world: World, issuer: Issuer, verified: object) -> None:
    assert (await _verify(world, issuer.token(email_verified=verified))).json["user"]["email"] is None


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"name": "  Ann \n\t <b>Example</b>\u202e "}, "Ann <b>Example</b>"),
        ({"name": "a\0b\ud800c"}, "a b c"),
        ({"name": "名" * 500}, "名" * 100),
        ({"name": " \n\u2066 ", "preferred_username": "ann"}, "ann"),
        ({"name": ["Ann"], "given_name": "Ann"}, "Ann"),
        ({"name": None}, "Player"),
    ],
)
async def test_names_are_made_fit_to_show(world: World, issuer: Issuer, told: dict[str, Any], name: str) -> None:
    assert (await _verify(world, issuer.token(**told))).json["user"]["name"] == name


@pytest.mark.parametrize(
    "picture",
    [
        "javascript:alert(1)",
        "http://pictures.example.org/a.png",
        "https://user:pass@pictures.example.org/a.png",
        'https://pictures.example.org/"onload="alert(1)',
        "https://pictures.example.org/a b",
        "data:image/svg+xml;base64,AAAA",
        "https://pictures.example.org/" + "a" * 3000,
        "//pictures.example.org/a.png",
        5,
    ],
)
async def test_pictures_that_are_no_plain_address_are_not_shown(world: World, issuer: Issuer, picture: object) -> None:
    assert (await _verify(world, issuer.token(picture=picture))).json["user"]["avatar"] is None


async def test_a_nonce_has_to_agree_and_is_good_once(world: World, issuer: Issuer) -> None:
    token = issuer.token(nonce="n-0S6_WzA2Mj")
    assert (await _verify(world, token, nonce="another")).status == 401
    assert (await _verify(world, issuer.token(), nonce="n-0S6_WzA2Mj")).status == 401
    assert (await _verify(world, token, nonce="n-0S6_WzA2Mj")).status == 200
    for more in ({"nonce": "n-0S6_WzA2Mj"}, {}):
        answer = await _verify(world, token, **more)
        assert (answer.status, answer.error) == (401, "Invalid Google ID token")
    assert (await _verify(world, issuer.token(nonce="another"), nonce="another")).status == 200


async def test_a_nonce_wins_one_race(world: World, issuer: Issuer) -> None:
    token = issuer.token(nonce="once")
    answers = await asyncio.gather(*(_verify(world, token, nonce="once") for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 9


async def test_the_refresh_token_goes_into_a_cookie_where_that_is_wished(world: World, issuer: Issuer) -> None:
    answer = await _verify(world, issuer.token(), cookie=True)
    assert answer.json["refresh_token"] is None
    assert answer.headers["Set-Cookie"].startswith("cs_refresh=csr_")


async def test_fifty_at_once_ask_the_issuer_once(world: World, issuer: Issuer) -> None:
    answers = await asyncio.gather(*(_verify(world, issuer.token(sub=f"s{n % 5}")) for n in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert issuer.asked == {"/.well-known/openid-configuration": 1, "/keys": 1}
    assert len(await world.rows("users")) == 5


async def test_an_issuer_that_is_away_is_told_in_words(world: World, issuer: Issuer) -> None:
    token = issuer.token()
    await issuer.stop()
    answer = await _verify(world, token)
    assert (answer.status, answer.error) == (500, UNREACHABLE)
    assert issuer.url in answer.json["details"][0]
    assert token not in answer.raw.decode()
    assert await world.rows("users") == []


async def test_known_keys_work_while_the_issuer_is_away(world: World, issuer: Issuer) -> None:
    assert (await _verify(world, issuer.token())).status == 200
    await issuer.stop()
    assert (await _verify(world, issuer.token())).status == 200


async def test_without_a_client_id_nobody_signs_in(gateway_database: str, tmp_path: Path, issuer: Issuer) -> None:
    async with serving(settings(gateway_database, tmp_path, oidc_issuer=issuer.url)) as world:
        answer = await _verify(world, issuer.token())
        assert (answer.status, answer.error) == (404, "Sign-in is not configured")
        assert answer.json["details"] == ["whoever runs this place has to set OIDC_CLIENT_ID"]
    assert not issuer.asked


async def test_keys_may_be_somewhere_else(gateway_database: str, tmp_path: Path, issuer: Issuer) -> None:
    chosen = settings(
        gateway_database, tmp_path, oidc_issuer=GOOGLE, oidc_client_id=CLIENT, oidc_jwks_url=f"{issuer.url}/keys"
    )
    async with serving(chosen) as world:
        for spelling in ("https://accounts.google.com", "accounts.google.com"):
            assert (await _verify(world, issuer.token(iss=spelling))).status == 200
        for spelling in ("http://accounts.google.com", "https://accounts.google.com/", "google.com", issuer.url):
            assert (await _verify(world, issuer.token(iss=spelling))).status == 401
        (row,) = await world.rows("users")
        assert row["issuer"] == GOOGLE
    assert issuer.asked == {"/keys": 1}


async def test_who_runs_the_place_is_in_the_settings(gateway_database: str, tmp_path: Path, issuer: Issuer) -> None:
    """Issuer and subject together: another issuer may give the same subject, and anybody an address."""
    chosen = settings(gateway_database, tmp_path, oidc_issuer=issuer.url, oidc_client_id=CLIENT)
    boss = chosen.model_copy(update={"site_admins": frozenset({(issuer.url, "boss"), ("https://else.example", "ann")})})

    async def admins(world: World) -> set[str]:
        return {row["subject"] for row in await world.rows("users") if row["site_admin"]}

    async with serving(boss) as world:
        await world.gateway.services.logins.settle(development=True)
        for subject in ("boss", "ann", "Boss"):
            assert (await _verify(world, issuer.token(sub=subject, email="boss@example.org"))).status == 200
        assert await admins(world) == {"boss"}
    async with serving(chosen) as world:
        await _verify(world, issuer.token(sub="boss"))
        assert await admins(world) == {"boss"}  # a sign-in takes nothing away; the start does, and says so
        with structlog.testing.capture_logs() as lines:
            await world.gateway.services.logins.settle(development=True)
        assert await admins(world) == set()
        (line,) = [line for line in lines if line["event"] == "site_admin_changed"]
        assert (line["subject"], line["site_admin"]) == ("boss", "False")
    async with serving(boss) as world:
        await world.gateway.services.logins.settle(development=True)
        assert await admins(world) == {"boss"}


async def test_no_secret_is_ever_written_down(
    world: World, issuer: Issuer, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Everything that can be done with tokens is done, well and badly; then every log line is read."""
    secrets = ["n-very-secret-nonce"]

    def kept(answer: Answer) -> dict[str, Any]:
        secrets.extend(answer.json[name] for name in ("app_token", "refresh_token", "key") if name in answer.json)
        return dict(answer.json)

    with caplog.at_level(logging.DEBUG):
        first = kept(await _verify(world, issuer.token(nonce=secrets[0]), nonce=secrets[0]))
        ann = Somebody(world.session, world.base, first["app_token"])
        kept(await ann.post("/auth/keys", {"name": "k", "scopes": ["read"]}))
        second = kept(await world.nobody.post("/auth/refresh", {"refresh_token": first["refresh_token"]}))
        kept(await world.nobody.post("/auth/refresh", {"refresh_token": first["refresh_token"]}))
        await world.nobody.post("/auth/refresh", {"refresh_token": second["refresh_token"]})
        secrets += [issuer.token(exp=5), issuer.token(aud="x"), issuer.token(headers={"kid": "unknown-key"})]
        for token in secrets[1:]:
            await _verify(world, token)
            await Somebody(world.session, world.base, token).get("/auth/user")
            await world.nobody.post("/auth/refresh", {"refresh_token": token[:512]})
            await world.nobody.post("/auth/logout", {"refresh_token": token[:512]})
            await world.nobody.post("/auth/verify", {"id_token": [token]})
        await issuer.stop()
        secrets.append(issuer.token())
        world.gateway.services.id_tokens = IdTokens(IssuerKeys(world.session, issuer.url), issuer.url, CLIENT)
        assert (await _verify(world, secrets[-1])).status == 500
    written = capfd.readouterr()
    lines = written.out + written.err + caplog.text
    assert "login_ended_by_reuse" in lines
    assert "issuer_keys_missing" in lines
    assert len(secrets) == 12
    assert [secret for secret in secrets if secret in lines or secret.rpartition(".")[2] in lines] == []


def test_the_tests_issuer_signs_what_others_can_read(issuer: Issuer) -> None:
    claims = jwt.decode(issuer.token(), jwt.PyJWK(issuer.keys[-1]).key, algorithms=["RS256"], audience=CLIENT)
    assert claims == issuer.claims(iat=claims["iat"], exp=claims["exp"])
