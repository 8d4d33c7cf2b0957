"""Requests to addresses that somebody else chose: to public ones only.

What a name stands for is judged at the moment of connecting, for each address by itself, so neither a name that
resolves to our own network, nor one that resolves differently the second time, nor an address in an odd notation gets
through. Redirects are not followed, no cookie or proxy of ours is used, and of the answer only status and headers are
read.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

TIMEOUT_S = 10.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")

SocketFactory = Callable[[tuple[Any, ...]], socket.socket]


class Unreachable(Exception):
    """No answer was had. The message says why in words, without the address."""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]


class _NotPublicError(OSError):
    pass


def public(address: str) -> bool:
    """Whether an IP address can be reached by everybody. One that carries another inside is judged by that one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _inner(ip)
        if inner is not None:
            return public(str(inner))
        if ip.is_site_local or ip in _NAT64_LOCAL:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if ip.teredo is not None:
        return ipaddress.IPv4Address(0)  # a tunnel through whoever: not public
    if ip in _NAT64 or ip in _COMPATIBLE:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def acceptable(text: str, allowed_hosts: Collection[str]) -> str | None:
    """What is wrong with an address that is to be called later, as far as it can be said without a look-up."""
    try:
        url = URL(text)
        host = url.host  # read here: an international name is decoded only now
    except ValueError:
        return "must be an address such as https://example.com/hook"
    if url.scheme not in ("http", "https") or not host:
        return "must begin with https:// or http:// and name a host"
    if url.user is not None or url.password is not None:
        return "must not hold a user name or a password"
    if host in allowed_hosts:
        return None
    return None if _may_be_public(host) else "must be a public address"


def _may_be_public(host: str) -> bool:
    """A name is looked up when it is called. One that ends in a number is an IPv4 address in an old notation, as
    https://url.spec.whatwg.org/#ends-in-a-number-checker has it."""
    try:
        return public(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        return last != "localhost" and not last.isdigit() and not last.startswith("0x")


async def post(url: str, *, headers: Mapping[str, str], body: bytes, allowed_hosts: Collection[str]) -> Response:
    """Send it, or raise `Unreachable`."""
    guarded = URL(url).host not in allowed_hosts
    connector = aiohttp.TCPConnector(force_close=True, socket_factory=_public_only if guarded else None)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                auto_decompress=False,
                trust_env=False,
            ) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
        ):
            return Response(answer.status, dict(answer.headers))
    except TimeoutError as error:
        raise Unreachable(f"The receiver did not answer within {TIMEOUT_S:.0f} seconds.") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise Unreachable("The receiver's name could not be found.") from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise Unreachable("The receiver's certificate is not valid.") from error
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _NotPublicError):
            raise Unreachable("The receiver's address is not public.") from error
        raise Unreachable("The receiver cannot be reached.") from error
    except aiohttp.InvalidURL as error:
        raise Unreachable("The receiver's address is none that can be called.") from error
    except (aiohttp.ClientError, ValueError, OSError) as error:
        raise Unreachable("The receiver answered something that is not HTTP.") from error


def _public_only(where: tuple[Any, ...]) -> socket.socket:
    """The last step before connecting: aiohttp calls it for each address that a name stands for."""
    family, kind, protocol, _, address = where
    if not public(address[0]):
        raise _NotPublicError("not a public address")
    return socket.socket(family=family, type=kind, proto=protocol)
