"""Which addresses somebody else may have us call."""

from __future__ import annotations

import pytest

from clipstream.gateway.outgoing import acceptable, public


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - judged, not bound
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:a00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2001:0:7f00:1::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_what_is_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]
)
def test_what_is_public(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://example.com/hook", None),
        ("http://example.com:8080/hook?x=1", None),
        ("https://1.1.1.1/", None),
        ("http://receiver.internal/", None),
        ("http://RECEIVER.internal:9/", None),
        ("http://10.0.0.5:8000/", None),
        ("file:///etc/passwd", "begin"),
        ("gopher://example.com/", "begin"),
        ("ftp://example.com/", "begin"),
        ("javascript:alert(1)", "begin"),
        ("//example.com/", "begin"),
        ("example.com", "begin"),
        ("http://", "begin"),
        ("http://[", "address"),
        ("https://user@example.com/", "password"),
        ("https://user:word@example.com/", "password"),
        ("http://receiver.internal@evil.example/", "password"),
        ("http://169.254.169.254/latest/meta-data", "public"),
        ("http://127.0.0.1/", "public"),
        ("http://10.0.0.6:8000/", "public"),
        ("http://[::1]/", "public"),
        ("http://[::ffff:127.0.0.1]/", "public"),
        ("http://localhost/", "public"),
        ("http://LOCALHOST./", "public"),
        ("http://anything.localhost/", "public"),
        ("http://0.0.0.0/", "public"),
        ("http://2130706433/", "public"),
        ("http://127.1/", "public"),
        ("http://0x7f.0x1/", "public"),
        ("http://0177.0.0.01./", "public"),
    ],
)
def test_what_a_webhook_may_name(url: str, fault: str | None) -> None:
    said = acceptable(url, frozenset({"receiver.internal", "10.0.0.5"}))
    assert said is None if fault is None else said is not None and fault in said, said
