"""The only way in which we speak HTTP to addresses that people typed in.

Where a name leads is looked up once, every address of it is checked, and the connection is made to a checked address:
so a name that leads elsewhere a moment later changes nothing. The certificate is still that of the name. There are no
redirects, no proxies and no retries; time and the size of the answer are bounded. What is raised names the host alone:
paths of webhooks are secrets.

httpcore is the engine of httpx. We use it directly, because there the network is ours to give, and because httpx logs
every URL.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpcore
from django.conf import settings
from django.utils.translation import gettext as _

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = frozenset({80, 443})  # elsewhere we speak only to networks that the operator allows
CONNECT = 5.0  # seconds until a connection stands
TOTAL = 10.0  # seconds for everything: the name, the connection, TLS, the request and its answer
READ = 64 << 10  # bytes of an answer, its head included; what follows is left unread
LONGEST = 2000  # characters of a URL
LOOKUPS = 64  # names that are looked up at the same time: a resolver that hangs costs no more threads than this

# What is no place for a message from us: this host and its neighbours, what is reserved, and every IPv6 address that
# stands for an IPv4 one. Of IPv6, only the global unicast range is left, without these parts of it.
FORBIDDEN: Sequence[Network] = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's own services, on a public address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23",  # Teredo, ORCHID, benchmarks
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
]
GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!$-;=?-\[\]_a-z~%]*)?",
    re.IGNORECASE | re.ASCII,  # to Unicode, the long s is an s, too
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class OutsideError(Exception):
    """There is no answer. The text names the host and nothing more of the address."""


class Refused(OutsideError):
    """We do not go there; trying again is of no use."""


class Unreachable(OutsideError):
    """Nobody answers there, or in no way that we understand. Later it may be otherwise."""


class TooSlow(Unreachable):
    """The answer did not begin in the time we give."""


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status. Names of headers are in small letters.

    `whole` is false where the body was cut: by its size, by the time, by a connection that broke.
    """

    host: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


@dataclass(frozen=True)
class Place:
    """Where a URL leads, taken apart once: nobody else reads the URL again."""

    scheme: str
    host: str  # a name in small letters, or an address without brackets
    port: int
    target: str  # path and query

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a URL and in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _default_port(self.scheme) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target}"


def place_of(url: str) -> Place:
    """The place, or `Refused` if it is clear from the text alone that we never go there. Asks nobody."""
    if len(url) > LONGEST:
        raise Refused(f"An address has at most {LONGEST} characters.")
    found = _URL.fullmatch(url.partition("#")[0])
    if found is None:
        raise Refused(_what_is_wrong_with(url))
    scheme, host = found["scheme"].lower(), found["host"].lower()
    port = int(found["port"] or _default_port(scheme))
    if not 1 <= port <= 65535:
        raise Refused("The port of the address does not exist.")
    target = found["target"] or "/"
    place = Place(scheme, host.strip("[]"), port, target if target.startswith("/") else f"/{target}")

    literal = _literal(host)
    if literal is not None:
        _permit(literal, place)
        return Place(scheme, str(literal), port, place.target)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise Refused("The address has no valid host name.")
    return place


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """What the place at this URL answers. Raises `Refused`, or `Unreachable` where there is no answer to be had."""
    deadline = _Deadline(TOTAL)
    place = place_of(url)
    network = _Network(place, _addresses(place, deadline), deadline)
    ours = {"Host": place.netloc, "Accept-Encoding": "identity", "Connection": "close"}
    with httpcore.ConnectionPool(ssl_context=_tls(), network_backend=network, max_connections=1) as pool:
        try:
            with pool.stream(
                "POST",
                httpcore.URL(scheme=place.scheme, host=place.host, port=place.port, target=place.target),
                headers=[
                    (name.encode("ascii"), value.encode("ascii")) for name, value in (ours | dict(headers)).items()
                ],
                content=body,
            ) as response:
                return _answer(place, response)
        except (httpcore.LocalProtocolError, UnicodeEncodeError):
            raise Refused(f"The request to {place.host} cannot be written as HTTP.") from None
        except (httpcore.ProtocolError, httpcore.NetworkError):
            raise Unreachable(f"{place.host} closed the connection, or answered with something else.") from None


def _answer(place: Place, response: httpcore.Response) -> Answer:
    body, whole = bytearray(), True
    try:
        for chunk in response.iter_stream():
            body += chunk
    except (Unreachable, httpcore.ProtocolError, httpcore.NetworkError):
        whole = False  # its status was there before, and tells what became of the request
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Answer(place.host, response.status, headers, bytes(body), whole)


def _what_is_wrong_with(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not separator or scheme.lower() not in ("http", "https"):
        return _("An address begins with https:// or http://.")
    if "@" in authority:
        return _("An address has no name or password before its host.")
    if not authority.isascii():
        return _("Write the host in plain letters: names in other letters begin with xn--.")
    return _("This is not an address that messages can go to.")


def _literal(host: str) -> Address | None:
    """The address that the host is, if it is no name. Ways of writing one that only some readers know are refused."""
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1])
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            return ipaddress.IPv4Address(host)
    except ValueError:
        raise Refused("Write an IP address as four numbers, or as IPv6 in brackets.") from None
    return None


def _permit(address: Address, place: Place) -> None:
    """Refuse the address, unless it is a public one at a web port, or of a network that the operator allows."""
    if any(address in network for network in _allowed(settings.ENV.private_networks)):
        return
    if any(address in network for network in FORBIDDEN) or (address.version == 6 and address not in GLOBAL_IPV6):
        raise Refused(f"{place.host} is not at a public address. Whoever runs Burnline may allow its network.")
    if place.port not in PORTS:
        raise Refused(f"Messages go to the ports 80 and 443 only, not to port {place.port} of {place.host}.")


@lru_cache(maxsize=4)
def _allowed(networks: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(network.strip()) for network in filter(None, networks.split(",")))


def _addresses(place: Place, deadline: _Deadline) -> list[Address]:
    """Every address of the place, each of them permitted: one that is not spoils the place."""
    literal = _literal(f"[{place.host}]" if ":" in place.host else place.host)
    addresses = [literal] if literal is not None else _looked_up(place.host, deadline)
    for address in addresses:
        _permit(address, place)
    return addresses


_under_way: dict[str, Future[list[Address]]] = {}
_under_way_lock = threading.Lock()


def _looked_up(host: str, deadline: _Deadline) -> list[Address]:
    """A look-up cannot be called off, so it has a thread of its own; whoever asks for the name meanwhile waits too."""
    with _under_way_lock:
        answer = _under_way.get(host)
        if answer is None:
            if len(_under_way) >= LOOKUPS:
                raise TooSlow(f"{host} was not looked up: too many names are being looked up just now.")
            answer = _under_way[host] = Future()
            threading.Thread(target=_look_up, args=(host, answer), name="look-up", daemon=True).start()
    try:
        addresses = answer.result(timeout=deadline.left(host))
    except TimeoutError:
        raise TooSlow(f"{host} was not found in time.") from None
    except (OSError, ValueError):
        addresses = []
    if not addresses:
        raise Unreachable(f"{host} is not known.")
    return addresses


def _look_up(host: str, answer: Future[list[Address]]) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))
    except (OSError, ValueError) as exc:
        outcome: Exception | list[Address] = exc
    else:
        outcome = addresses
    with _under_way_lock:
        del _under_way[host]
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


class _Deadline:
    """The end of the whole exchange."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self, host: str) -> float:
        """Seconds that are left, or `TooSlow`."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TooSlow(f"{host} took longer than {TOTAL:g} seconds.")
        return left


class _Network(httpcore.NetworkBackend):
    """Leads to the checked addresses of one place, whatever it is asked for."""

    def __init__(self, place: Place, addresses: list[Address], deadline: _Deadline) -> None:
        self._place = place
        self._addresses = addresses
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        until, swallowed = time.monotonic() + CONNECT, False
        for tried, address in enumerate(self._addresses):
            # One that swallows everything leaves its share of the time to the others.
            share = (until - time.monotonic()) / (len(self._addresses) - tried)
            line = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
            try:
                line.settimeout(min(max(share, 0.05), self._deadline.left(self._place.host)))
                line.connect((str(address), self._place.port))
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except (OSError, TooSlow) as exc:
                line.close()
                swallowed |= isinstance(exc, (TimeoutError, TooSlow))
                continue
            return _Stream(line, self._place.host, self._deadline)
        if swallowed:
            raise TooSlow(f"{self._place.host} did not take the connection within {CONNECT:g} seconds.")
        raise Unreachable(f"{self._place.host} does not take connections.")


class _Stream(httpcore.NetworkStream):
    """A connection that ends with the deadline, and after READ bytes."""

    def __init__(self, line: socket.socket, host: str, deadline: _Deadline) -> None:
        self._line = line
        self._host = host
        self._deadline = deadline
        self._readable = READ

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not self._readable:
            raise Unreachable(f"{self._host} answered with more than {READ} bytes.")
        try:
            self._line.settimeout(self._deadline.left(self._host))
            data = self._line.recv(min(max_bytes, self._readable))
        except TimeoutError:
            raise self._too_slow() from None
        except OSError as exc:
            raise httpcore.ReadError(type(exc).__name__) from None
        self._readable -= len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._line.settimeout(self._deadline.left(self._host))
            self._line.sendall(buffer)
        except TimeoutError:
            raise self._too_slow() from None
        except OSError as exc:
            raise httpcore.WriteError(type(exc).__name__) from None  # an answer may be there nevertheless

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        try:
            self._line.settimeout(self._deadline.left(self._host))
            self._line = ssl_context.wrap_socket(self._line, server_hostname=self._host)
        except TimeoutError:
            raise self._too_slow() from None
        except ssl.SSLCertVerificationError:
            raise Unreachable(f"The certificate of {self._host} is not valid for that name.") from None
        except OSError:
            raise Unreachable(f"{self._host} does not speak TLS with us.") from None
        return self

    def close(self) -> None:
        self._line.close()

    def get_extra_info(self, info: str) -> Any:
        return self._line if info == "ssl_object" and isinstance(self._line, ssl.SSLSocket) else None

    def _too_slow(self) -> TooSlow:
        return TooSlow(f"{self._host} took longer than {TOTAL:g} seconds.")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpcore.default_ssl_context()


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80
