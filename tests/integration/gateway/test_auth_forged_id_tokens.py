"""ID tokens that are not good: from others, for others, of another kind, too old, or put together by hand. All get the same
words, nobody is signed in, and no address that a token names is ever asked."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from clipstream.common.db.migrations import migrate
from clipstream.gateway.app import MIGRATIONS, SCHEMA
from clipstream.gateway.signing import MediaSigner
from fixtures.issuer import CLIENT, Issuer, private_key, published
from fixtures.postgres import Databases
from integration.gateway.forging import as_bytes, compose, encode, hmac_sha256, twice, unsigned, without
from integration.gateway.world import SECRET, World, serving, settings, unknown


@pytest.fixture(scope="module")
async def standing_issuer() -> AsyncIterator[Issuer]:
    made = Issuer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(scope="module")
async def world(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory, standing_issuer: Issuer
) -> AsyncIterator[World]:
    url = databases.create_like("gateway", lambda new: migrate(new, MIGRATIONS, schema=SCHEMA))
    chosen = settings(url, tmp_path_factory.mktemp("store"), oidc_issuer=standing_issuer.url, oidc_client_id=CLIENT)
    async with serving(chosen) as made:
        yield made
    databases.drop(url)


def _sign(issuer: Issuer) -> Callable[[bytes], bytes]:
    """With the issuer's own key: only what the token says is wrong."""
    key: Any = issuer.private
    return lambda body: jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(body, key)


def _raw(issuer: Issuer, payload: Any, **header: Any) -> str:
    return compose({"alg": "RS256", "kid": issuer.key_id} | header, payload, _sign(issuer))


def _lack(issuer: Issuer, name: str) -> str:
    return _raw(issuer, without(issuer.claims(), name))


def _stranger(issuer: Issuer, **headers: Any) -> str:
    """Signed with a key that the issuer never had."""
    key: Any = private_key("RS256", 99)
    return jwt.encode(issuer.claims(), key, algorithm="RS256", headers={"kid": issuer.key_id} | headers)


def _confused(issuer: Issuer, encoding: serialization.Encoding, form: serialization.PublicFormat) -> str:
    key = issuer.private.public_key().public_bytes(encoding, form)
    return compose({"alg": "HS256", "kid": issuer.key_id, "typ": "JWT"}, issuer.claims(), hmac_sha256(key))


def _media_token() -> str:
    return MediaSigner(SECRET, timedelta(hours=1)).token(UUID(unknown()), user=UUID(unknown()))


_PEM = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
_DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
NOW = int(time.time())
FORGED: dict[str, Callable[[Issuer], str]] = {
    # algorithms and keys
    "alg none": lambda i: compose({"alg": "none", "kid": i.key_id}, i.claims(), unsigned),
    "alg none, their signature": lambda i: _raw(i, i.claims(), alg="none"),
    "no alg": lambda i: compose({"kid": i.key_id}, i.claims(), _sign(i)),
    "HS256 with the public key as PEM": lambda i: _confused(i, *_PEM),
    "HS256 with the public key as DER": lambda i: _confused(i, *_DER),
    "HS256 with the client id": lambda i: compose(
        {"alg": "HS256", "kid": i.key_id}, i.claims(), hmac_sha256(CLIENT.encode())
    ),
    "announced as ES256": lambda i: _raw(i, i.claims(), alg="ES256"),
    "announced as RS512": lambda i: _raw(i, i.claims(), alg="RS512"),
    "announced as PS256": lambda i: _raw(i, i.claims(), alg="PS256"),
    "a key of their own": _stranger,
    "a kid that nobody has": lambda i: i.token(headers={"kid": "nobody's"}),
    "no kid": lambda i: jwt.encode(i.claims(), i.private, algorithm="RS256"),
    "kid that is a number": lambda i: _raw(i, i.claims(), kid=1),
    "kid that climbs": lambda i: _stranger(i, kid="../../../../dev/null"),
    "kid with SQL": lambda i: _stranger(i, kid="' OR 1=1 --"),
    "kid that is an address": lambda i: _stranger(i, kid=f"{i.url}/attacker/kid"),
    "jku": lambda i: _stranger(i, jku=f"{i.url}/attacker/jku"),
    "jku of the true keys": lambda i: _raw(i, i.claims(), jku=f"{i.url}/keys"),
    "x5u": lambda i: _stranger(i, x5u=f"{i.url}/attacker/x5u"),
    "x5c": lambda i: _raw(i, i.claims(), x5c=["AAAA"]),
    "jwk of their own": lambda i: _stranger(i, jwk=published(private_key("RS256", 99), i.key_id)),
    "crit": lambda i: _raw(i, i.claims(), crit=["exp"], exp=1),
    "crit that says b64": lambda i: _raw(i, i.claims(), crit=["b64"], b64=False),
    # whom it is from and for
    "another issuer": lambda i: i.token(iss="https://accounts.google.com"),
    "almost the issuer": lambda i: i.token(iss=i.url + "/"),
    "an issuer that is a list": lambda i: _raw(i, i.claims(iss=[i.url])),
    "no issuer": lambda i: _lack(i, "iss"),
    "another client": lambda i: i.token(aud="another-client", azp="another-client"),
    "another client that asked for ours": lambda i: i.token(azp="another-client"),
    "several clients": lambda i: i.token(aud=[CLIENT, "another-client"]),
    "the client in another case": lambda i: i.token(aud=CLIENT.upper()),
    "no audience": lambda i: _lack(i, "aud"),
    "an audience of none": lambda i: i.token(aud=[]),
    # what it is
    "an access token of the issuer's": lambda i: i.token(headers={"typ": "at+jwt"}),
    "an access token by its claim": lambda i: i.token(typ="Bearer"),
    "a logout token": lambda i: i.token(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    "a logout token by its type": lambda i: i.token(headers={"typ": "logout+jwt"}),
    "a token of no type": lambda i: _raw(i, i.claims(), typ=None),
    # times
    "expired by one second": lambda i: i.token(exp=int(time.time()) - 1),
    "no expiry": lambda i: _lack(i, "exp"),
    "expiry as text": lambda i: i.token(exp="9999999999"),
    "expiry that is true": lambda i: _raw(i, i.claims(exp=True)),
    "endless": lambda i: _raw(i, as_bytes(i.claims()).replace(b'"exp": ', b'"exp": 1e999, "e": ')),
    "from tomorrow on": lambda i: i.token(nbf=NOW + 86400),
    "issued tomorrow": lambda i: i.token(iat=NOW + 86400),
    "no time of issue": lambda i: _lack(i, "iat"),
    # who
    "nobody": lambda i: _lack(i, "sub"),
    "an empty subject": lambda i: i.token(sub=""),
    "a subject that is a number": lambda i: _raw(i, i.claims(sub=5)),
    "a subject that is a list": lambda i: _raw(i, i.claims(sub=["1"])),
    "a long subject": lambda i: i.token(sub="1" * 256),
    "a subject with NUL": lambda i: i.token(sub="1\0"),
    "half a character as subject": lambda i: i.token(sub="\ud800"),
    "a nonce that is a list": lambda i: i.token(nonce=["n"]),
    # forms
    "subject twice": lambda i: _raw(i, twice(i.claims(), "sub", "admin")),
    "audience twice": lambda i: _raw(i, twice(i.claims(), "aud", "another-client")),
    "alg twice": lambda i: compose(twice({"alg": "RS256", "kid": i.key_id}, "alg", "none"), i.claims(), _sign(i)),
    "a list": lambda i: _raw(i, [i.claims()]),
    "null": lambda i: _raw(i, None),
    "no JSON": lambda i: _raw(i, b"\xff\xfe"),
    "without end": lambda i: _raw(i, b'{"a":' * 2000),
    "not a number": lambda i: _raw(i, as_bytes(i.claims() | {"x": float("nan")})),
    "another payload, same signature": lambda i: i.token().replace(
        i.token().split(".")[1], encode(as_bytes(i.claims(sub="admin")))
    ),
    "cut off": lambda i: i.token()[:-4],
    "dirt in it": lambda i: i.token()[:-4] + "!" + i.token()[-4:],
    "padding": lambda i: i.token() + "==",
    "two parts": lambda i: i.token().rpartition(".")[0],
    "five parts": lambda i: i.token() + ".AAAA.AAAA",
    "huge": lambda i: i.token(more="a" * 20_000),
    "huge header": lambda i: i.token(headers={"more": "a" * 20_000}),
    "a word": lambda i: "token",
    "dots": lambda i: "..",
    "other scripts": lambda i: "тoken.tökèn.令牌",
    "NUL": lambda i: "a.b\0.c",
    "a media token": lambda i: _media_token(),
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_id_token_is_refused(
    world: World, standing_issuer: Issuer, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    forged = FORGED[name](standing_issuer)
    answer = await world.nobody.post("/auth/verify", {"id_token": forged})
    assert (answer.status, answer.json) == (401, {"error": "Invalid Google ID token"})
    assert "Set-Cookie" not in answer.headers
    assert await world.rows("users") == []
    assert set(standing_issuer.asked) <= {"/.well-known/openid-configuration", "/keys"}
    written = capfd.readouterr().out
    assert "request_answered" in written
    assert "request_failed" not in written
    assert all(part not in written for part in forged.split(".") if len(part) > 8)


async def test_the_same_token_unforged_is_taken(world: World, standing_issuer: Issuer) -> None:
    """What the forgeries above are made from: had it another fault, they would prove nothing."""
    tokens = [
        standing_issuer.token(),
        _raw(standing_issuer, standing_issuer.claims()),
        _raw(standing_issuer, standing_issuer.claims(aud=[CLIENT], azp=None), typ="JWT"),
        standing_issuer.token(sub="x" * 255),
    ]
    for token in tokens:
        assert (await world.nobody.post("/auth/verify", {"id_token": token})).status == 200
    await world.pool.execute("DELETE FROM users")


async def test_tokens_of_one_kind_never_pass_for_another(world: World, standing_issuer: Issuer) -> None:
    signed_in = (await world.nobody.post("/auth/verify", {"id_token": standing_issuer.token()})).json
    for ours in (signed_in["app_token"], signed_in["refresh_token"]):
        answer = await world.nobody.post("/auth/verify", {"id_token": ours})
        assert (answer.status, answer.error) == (401, "Invalid Google ID token")
    for other in (standing_issuer.token(), signed_in["refresh_token"], _media_token()):
        answer = await world.nobody.get("/auth/user", headers={"Authorization": f"Bearer {other}"})
        assert (answer.status, answer.error) == (401, "Invalid or expired token")
    await world.pool.execute("DELETE FROM users")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"id_token": null}',
        b'{"id_token": ""}',
        b'{"id_token": ["a.b.c"]}',
        b'{"id_token": "\\ud800"}',
        b'{"id_token": "a.b.c", "nonce": ""}',
        b'{"id_token": "a.b.c", "cookie": "yes please"}',
        b'{"id_token": "a.b.c", "site_admin": true}',
        b'{"id_token": "a.b.c", "issuer": "https://evil.example.org"}',
    ],
)
async def test_what_is_no_sign_in(world: World, body: bytes) -> None:
    answer = await world.nobody.ask("POST", "/auth/verify", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.error) == (400, "Invalid sign-in")
    assert answer.json["details"]
