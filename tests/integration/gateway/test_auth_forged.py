"""Access tokens that are none of ours. Each is refused in the same words, costs nothing and shows up nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from clipstream.gateway.auth import HEADER
from clipstream.gateway.signing import derive_key
from fixtures.issuer import Issuer, private_key
from integration.gateway import forging
from integration.gateway.forging import compose, hmac_sha256, twice, unsigned, without
from integration.gateway.world import SECRET, Somebody, World

KEY = derive_key(SECRET, "access token")
OURS = hmac_sha256(KEY)


@dataclass
class Case:
    """Whom a forger wants to be, and what a good token of theirs says."""

    ann: Somebody
    claims: dict[str, Any]
    canary: str  # an address that nobody may ask

    def say(self, **change: Any) -> str:
        """Signed with our own key: only what it says is wrong."""
        return compose(HEADER, self.claims | change, OURS)

    def lack(self, name: str) -> str:
        return compose(HEADER, without(self.claims, name), OURS)

    def made(self, *without_names: str, **header: Any) -> str:
        """Says what is right; what it says of its making is wrong."""
        return compose(without(HEADER | header, *without_names), self.claims, OURS)

    def signed(self, sign: forging.Signer, **header: Any) -> str:
        return compose(HEADER | header, self.claims, sign)


def _public_key() -> bytes:
    """What somebody who confuses algorithms would take for an HMAC key."""
    return (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _rsa(case: Case, **headers: Any) -> str:
    key: Any = private_key()
    return jwt.encode(case.claims, key, algorithm="RS256", headers={"typ": "at+jwt", "kid": "1"} | headers)


def _flipped(token: str, part: int) -> str:
    parts = token.split(".")
    middle = len(parts[part]) // 2
    other = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
    return ".".join(parts)


NOW = time.time()
FORGED: dict[str, Callable[[Case], str]] = {
    # algorithms
    "alg none": lambda c: compose(HEADER | {"alg": "none"}, c.claims, unsigned),
    "alg None": lambda c: compose(HEADER | {"alg": "nOnE"}, c.claims, OURS),
    "alg none, our signature": lambda c: c.made(alg="none"),
    "no alg": lambda c: c.made("alg"),
    "alg that is a list": lambda c: c.made(alg=["HS256"]),
    "no signature at all": lambda c: c.say().rpartition(".")[0] + ".",
    "two parts": lambda c: c.say().rpartition(".")[0],
    "five parts, as if encrypted": lambda c: c.say() + ".AAAA.AAAA",
    "HS512 with our key": lambda c: jwt.encode(
        c.claims, KEY * 2, algorithm="HS512", headers={"typ": "at+jwt", "kid": "1"}
    ),
    "RS256 with a key of their own": _rsa,
    "RS256 announced as HS256": lambda c: c.signed(hmac_sha256(_public_key())),
    # keys
    "another key": lambda c: c.signed(hmac_sha256(b"x" * 32)),
    "an empty key": lambda c: c.signed(hmac_sha256(b"")),
    "the secret itself": lambda c: c.signed(hmac_sha256(SECRET.encode())),
    "the key of media paths": lambda c: c.signed(hmac_sha256(derive_key(SECRET, "media path"))),
    "kid that climbs": lambda c: c.signed(hmac_sha256(b""), kid="../../../../dev/null"),
    "kid of our key that climbs": lambda c: c.made(kid="../../../../dev/null"),
    "kid with SQL": lambda c: c.made(kid="1' UNION SELECT 'AAAA' -- "),
    "kid that is an address": lambda c: c.made(kid=f"{c.canary}/kid"),
    "kid with NUL": lambda c: c.made(kid="1\0"),
    "kid that is a number": lambda c: c.made(kid=1),
    "jku": lambda c: _rsa(c, jku=f"{c.canary}/jku"),
    "jku beside our signature": lambda c: c.made(jku=f"{c.canary}/jku"),
    "x5u": lambda c: _rsa(c, x5u=f"{c.canary}/x5u"),
    "jwk of their own": lambda c: c.signed(
        hmac_sha256(b"mine" * 8), jwk={"kty": "oct", "k": forging.encode(b"mine" * 8)}
    ),
    "x5c": lambda c: c.made(x5c=["AAAA"]),
    "crit": lambda c: c.made(crit=["exp"]),
    "crit that says b64": lambda c: c.made(crit=["b64"], b64=False),
    "zipped": lambda c: c.made(zip="DEF"),
    # types
    "a plain JWT": lambda c: c.made(typ="JWT"),
    "no type": lambda c: c.made("typ"),
    "another case of the type": lambda c: c.made(typ="AT+JWT"),
    # whom it is for and from
    "another audience": lambda c: c.say(aud="somebody-else"),
    "several audiences": lambda c: c.say(aud=["somebody-else", 5]),
    "no audience": lambda c: c.lack("aud"),
    "another issuer": lambda c: c.say(iss="https://accounts.google.com"),
    "no issuer": lambda c: c.lack("iss"),
    # times
    "expired by one second": lambda c: c.say(exp=int(time.time()) - 1),
    "no expiry": lambda c: c.lack("exp"),
    "expiry as text": lambda c: c.say(exp="9999999999"),
    "expiry that is true": lambda c: c.say(exp=True),
    "expiry beyond all calendars": lambda c: c.say(exp=10**30),
    "endless": lambda c: compose(HEADER, forging.as_bytes(c.claims).replace(b'"exp": ', b'"exp": 1e999, "e": '), OURS),
    "expiry that is no number": lambda c: c.say(exp=float("nan")),
    "from tomorrow on": lambda c: c.say(nbf=NOW + 86400),
    "issued tomorrow": lambda c: c.say(iat=NOW + 86400),
    "no time of issue": lambda c: c.lack("iat"),
    # who
    "no user": lambda c: c.lack("sub"),
    "user that is no id": lambda c: c.say(sub="admin"),
    "user that is a list": lambda c: c.say(sub=[str(c.ann.user_id)]),
    "user in braces": lambda c: c.say(sub="{" + str(c.ann.user_id) + "}"),
    "user with SQL": lambda c: c.say(sub=f"{c.ann.user_id}' OR '1'='1"),
    "user with half a character": lambda c: c.say(sub="\ud800"),
    "user that is gone": lambda c: c.say(sub=str(uuid4())),
    "no login": lambda c: c.lack("sid"),
    "login of nobody": lambda c: c.say(sid=str(uuid4())),
    "no jti": lambda c: c.lack("jti"),
    # forms
    "user twice": lambda c: compose(HEADER, twice(c.claims, "sub", str(uuid4())), OURS),
    "alg twice": lambda c: compose(twice(HEADER, "alg", "none"), c.claims, OURS),
    "payload that is a list": lambda c: compose(HEADER, [c.claims], OURS),
    "payload that is null": lambda c: compose(HEADER, None, OURS),
    "payload that is no JSON": lambda c: compose(HEADER, b"\xff\xfe not JSON", OURS),
    "payload without end": lambda c: compose(HEADER, b'{"a":' * 500, OURS),
    "header that is a list": lambda c: compose(["HS256"], c.claims, OURS),
    "header that is no JSON": lambda c: compose(b"\x00", c.claims, OURS),
    "another payload, same signature": lambda c: _flipped(c.say(), 1),
    "another signature": lambda c: _flipped(c.say(), 2),
    "cut off": lambda c: c.say()[:-4],
    "with dirt in it": lambda c: c.say()[:-4] + "!" + c.say()[-4:],
    "with padding": lambda c: c.say() + "=",
    "huge": lambda c: c.say(more="a" * 5000),
    "no token": lambda c: "not.a.token",
    "dots": lambda c: "..",
    "a word": lambda c: "token",
    "other scripts": lambda c: "тoken.tökèn.令牌",
    # other secrets of ours
    "a refresh token": lambda c: c.ann.refresh_token,
    "an API key that is none": lambda c: "csk_" + "A" * 43,
    "an API key's beginning": lambda c: "csk_",
    "an API key with NUL": lambda c: "csk_\\u0000",
}


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture
async def case(world: World, issuer: Issuer) -> Case:
    ann = await world.person("Ann")
    claims = jwt.decode(str(ann.token), options={"verify_signature": False})
    return Case(ann, claims, issuer.url)


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """Everything that was written since the last look."""

    def look() -> str:
        written = capfd.readouterr()
        return written.out + written.err + caplog.text

    with caplog.at_level("DEBUG"):
        yield look


def test_there_are_enough_of_them() -> None:
    assert len(FORGED) >= 40


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_is_refused(
    world: World, case: Case, issuer: Issuer, logged: Callable[[], str], name: str
) -> None:
    forged = FORGED[name](case)
    answer = await world.nobody.get("/auth/user", headers={"Authorization": f"Bearer {forged}"})
    assert (answer.status, answer.error) == (401, "Invalid or expired token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json == {"error": "Invalid or expired token"}
    assert not issuer.asked
    lines = logged()
    assert "request_answered" in lines
    assert "request_failed" not in lines
    assert all(part not in lines for part in forged.split(".") if len(part) > 8)


async def test_the_same_token_unforged_is_taken(world: World, case: Case) -> None:
    """What the forgeries above are made from: had it another fault, they would prove nothing."""
    for token in (case.say(), case.made(), case.signed(OURS), str(case.ann.token)):
        assert (await world.nobody.get("/auth/user", headers={"Authorization": f"Bearer {token}"})).status == 200


async def test_a_header_of_another_kind_is_none_at_all(world: World, case: Case) -> None:
    for header in ("", "Bearer", "Bearer ", "Basic YTpi", f"Bearer{case.ann.token}", f"Token {case.ann.token}"):
        answer = await world.nobody.get("/streams", headers={"Authorization": header})
        assert (answer.status, answer.error) == (401, "Authentication required")


async def test_tokens_elsewhere_are_not_looked_for(world: World, case: Case) -> None:
    """Not in the query, where logs and histories would keep them, and not in cookies, which browsers add."""
    for path, headers in (
        (f"/auth/user?access_token={case.ann.token}", {}),
        (f"/auth/user?token={case.ann.token}", {}),
        ("/auth/user", {"Cookie": f"access_token={case.ann.token}; cs_refresh={case.ann.refresh_token}"}),
    ):
        assert (await world.nobody.get(path, headers=headers)).status == 401
