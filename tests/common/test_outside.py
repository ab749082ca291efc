"""What people typed in leads nowhere near us: by no spelling, no name, no redirect and no second look-up."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from pytest_django.fixtures import Settings

from common import outside
from tests import providers
from tests.providers import Canary

PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "0.0.0.0",
    "192.0.0.192",
    "192.0.2.2",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
]
PRIVATE_V6 = [
    "::",
    "::1",
    "0:0:0:0:0:0:0:1",
    "fe80::1",
    "fec0::1",
    "fc00::1",
    "fd00::2",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "ff0e::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "4000::1",
]


def spellings(address: str) -> Iterator[str]:
    """One IPv4 address as a host, in every way that some reader of URLs is known to understand."""
    number = int(ipaddress.IPv4Address(address))
    a, b, c, d = address.split(".")
    hexadecimal = f"{number:08x}"
    high, low = hexadecimal[:4], hexadecimal[4:]
    yield from (address, f"{address}.", f"{address}..", str(number), f"{number}.")
    yield from (f"0x{hexadecimal}", f"0X{hexadecimal.upper()}", f"0{number:o}", f"0x0000{hexadecimal}")
    yield from (".".join(f"0x{int(part):x}" for part in (a, b, c, d)), f"0x{int(a):x}.{b}.{c}.{d}")
    yield from (
        ".".join(f"0{int(part):o}" for part in (a, b, c, d)),
        ".".join(f"{int(part):03}" for part in (a, b, c, d)),
    )
    yield from (f"{a}.{int(b) << 16 | int(c) << 8 | int(d)}", f"{a}.{b}.{int(c) << 8 | int(d)}", f"{a}.{b}.0x{low}")
    yield from (f"%{ord(a[0]):x}{address[1:]}", address.replace(".", "%2e"), address.replace(".", "。"))
    yield "".join(chr(ord(sign) + 0xFEE0) if sign.isdigit() else sign for sign in address)  # fullwidth
    yield "".join("⓪①②③④⑤⑥⑦⑧⑨"[int(sign)] if sign.isdigit() else sign for sign in address)
    yield from (f"[::ffff:{address}]", f"[::ffff:{high}:{low}]", f"[0:0:0:0:0:ffff:{high}:{low}]", f"[::{address}]")
    yield from (f"[::ffff:0:{address}]", f"[64:ff9b::{address}]", f"[64:ff9b::{high}:{low}]", f"[64:ff9b:1::{address}]")
    yield from (f"[2002:{high}:{low}::]", f"[2002:{high}:{low}::1]")
    yield f"[2001:0:4136:e378:8000:63bf:{int(high, 16) ^ 0xFFFF:x}:{int(low, 16) ^ 0xFFFF:x}]"  # Teredo
    yield from (f"[fe80::5efe:{address}]", f"[::ffff:{address}%25lo]")


HOSTS = [spelling for address in PRIVATE for spelling in spellings(address)]
HOSTS += [f"[{address}]" for address in PRIVATE_V6]
HOSTS += [f"[{address}%25{zone}]" for address in ("fe80::1", "::1", "ff02::1") for zone in ("lo", "1", "eth0")]
HOSTS += [
    "[::1",
    "::1",
    "[[::1]]",
    "[127.0.0.1]",
    "[v1.fe80::a]",
    "[]",
    "",
    ".",
    "..",
    "-",
    "a..b",
    "-a.example",
    "a" * 64,
]
HOSTS += [
    "exämple.com",
    "ｌocalhost",
    "localhost\u200b",
    "bücher.example",
    "例え.テスト",
    "127.0.0.1\u3002",
    "ⓛocalhost",
]
HOSTS += [
    "example.com.",
    "localhost.",
    "exa mple.com",
    "exa\tmple.com",
    "example.com\n",
    "example.com\x00",
    "a,b",
    "a;b",
]
HOSTS += ["user@127.0.0.1", "user:pw@127.0.0.1", "example.com@127.0.0.1", "example.com:80@127.0.0.1", "@127.0.0.1"]
HOSTS += ["127.0.0.1\\@example.com", "example.com\\@127.0.0.1", "127.0.0.1%00.example.com", "127.0.0.1#@example.com"]
HOSTS += [
    "127.0.0.1%20",
    "1.2.3",
    "1",
    "0",
    "0x",
    "08",
    "1.2.3.4.5",
    "256.256.256.256",
    "1.2.3.-4",
    "foo.0x7f",
    "foo.1",
]

WHOLE = [
    *(f"{scheme}://127.0.0.1/" for scheme in ("ftp", "file", "gopher", "dict", "ldap", "ws", "unix", "data", "jar")),
    *("file:///etc/passwd", "http:/127.0.0.1/", "http:127.0.0.1", "http:///127.0.0.1/", "//127.0.0.1/", "127.0.0.1"),
    *("", " ", "http://", "https://", "http:// 127.0.0.1/", " http://127.0.0.1/", "http://127.0.0.1 /", "javascript:1"),
    *("http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://127.0.0.1:99999/", "http://127.0.0.1:/", "http://:80/"),
    *("http://127.0.0.1:８０/", "http://127.0.0.1:+80/", "http://127.0.0.1: 80/", "http://127.0.0.1:0x50/"),
    *(
        "http://8.8.8.8:22/",
        "http://8.8.8.8:25/",
        "https://8.8.8.8:6379/",
        "http://8.8.8.8:8080/",
        "https://[2606::1]:5432/",
    ),
    *(
        "http://127.0.0.1?@8.8.8.8/",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1/\\..\\",
        "http:\\\\127.0.0.1\\",
        "hTtP://0/",
    ),
    "http://8.8.8.8/" + "a" * 2000,
]

NAMES = {
    **{f"v4-{number}.example": [address] for number, address in enumerate(PRIVATE)},
    **{f"v6-{number}.example": [address] for number, address in enumerate(PRIVATE_V6)},
    **{f"mapped-{number}.example": [f"::ffff:{address}"] for number, address in enumerate(PRIVATE)},
    **{f"nat64-{number}.example": [f"64:ff9b::{address}"] for number, address in enumerate(PRIVATE)},
    **{f"mixed-{number}.example": ["8.8.8.8", address] for number, address in enumerate(PRIVATE)},
    **{
        f"mixed6-{number}.example": ["2606:4700::1111", "8.8.8.8", address] for number, address in enumerate(PRIVATE_V6)
    },
    "localhost": ["127.0.0.1", "::1"],
    "localhost.localdomain": ["127.0.0.1"],
    "ip6-loopback": ["::1"],
    "metadata.google.internal": ["169.254.169.254"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
    "xn--bcher-kva.example": ["10.1.2.3"],
    "zone.example": ["fe80::1%lo"],
}

Resolver = Callable[[dict[str, list[str]]], list[str]]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Names lead where the test says; several answers of one name alternate if they are given as "a|b"."""
    real = socket.getaddrinfo
    known: dict[str, list[str]] = {}
    asked: list[str] = []

    def getaddrinfo(host: str, port: object, *args: object, **kwargs: object) -> object:
        if host not in known:
            try:
                ipaddress.ip_address(host)
            except ValueError:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
            return real(host, port, *args, **kwargs)  # type: ignore[arg-type]
        asked.append(host)
        answers = known[host]
        turn = [answer.split("|") for answer in answers]
        now = [choices[(asked.count(host) - 1) % len(choices)] for choices in turn]
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port or 0))
            for one in now
        ]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)

    def know(names: dict[str, list[str]]) -> list[str]:
        known.update(names)
        return asked

    return know


def private_addresses() -> list[str]:
    """Of this machine: loopback, and what else it has that is not public."""
    found = ["127.0.0.1", "::1"]
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "fd00::1")):
        with socket.socket(family, socket.SOCK_DGRAM) as line:
            try:
                line.connect((far, 9))  # sends nothing: it asks which address of ours would be used
            except OSError:
                continue
            own = line.getsockname()[0]
        if not ipaddress.ip_address(own).is_global and not ipaddress.ip_address(own).is_link_local:
            found.append(own)
    return list(dict.fromkeys(found))


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Canary]]:
    """Listeners on our private addresses, at ports that are allowed: what keeps us away is the address alone."""
    birds = [Canary(host) for host in private_addresses()]
    monkeypatch.setattr(outside, "PORTS", {80, 443, *(bird.port for bird in birds)})
    monkeypatch.setattr(outside, "CONNECT", 0.1)  # should one get through, the test ends nevertheless
    monkeypatch.setattr(outside, "TOTAL", 0.2)
    yield birds
    touched = {bird.host: bird.settled() for bird in birds}
    for bird in birds:
        bird.close()
    assert touched == dict.fromkeys(touched, 0)


def test_the_corpus_is_large() -> None:
    assert len(set(HOSTS)) + len(set(WHOLE)) + len(NAMES) > 800


def test_no_spelling_of_a_host_leads_to_a_private_address(canaries: list[Canary], resolver: Resolver) -> None:
    asked = resolver({})
    through = []
    for host in dict.fromkeys(HOSTS):
        for canary in canaries:
            for url in (f"http://{host}:{canary.port}/", f"https://{host}:{canary.port}/x?y"):
                try:
                    outside.post(url, b"{}", {})
                except outside.Refused:
                    continue
                except outside.Unreachable as exc:
                    through.append((url, str(exc)))
                else:
                    through.append((url, "an answer"))

    assert through == []
    assert asked == []


@pytest.mark.parametrize("url", WHOLE, ids=range(len(WHOLE)))
def test_no_other_scheme_port_or_shape_of_a_url_is_followed(url: str, canaries: list[Canary]) -> None:
    for canary in canaries:
        with pytest.raises(outside.Refused):
            outside.post(url.replace("127.0.0.1/", f"127.0.0.1:{canary.port}/"), b"{}", {})


def test_a_name_with_any_private_address_is_refused(canaries: list[Canary], resolver: Resolver) -> None:
    resolver(NAMES)
    through, told = [], set()
    for name in NAMES:
        for canary in canaries:
            try:
                outside.post(f"http://{name}:{canary.port}/", b"{}", {})
            except outside.Refused as exc:
                told |= {str(exc).replace(name, "NAME")}
            except outside.Unreachable as exc:
                through.append((name, str(exc)))
            else:
                through.append((name, "an answer"))

    assert through == []
    assert told == {"NAME is not at a public address. Whoever runs Burnline may allow its network."}, (
        "not where it leads"
    )


def test_the_canaries_would_notice(canaries: list[Canary], settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "CONNECT", 5.0)
    monkeypatch.setattr(outside, "TOTAL", 10.0)
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8, ::1/128"})

    for canary in canaries[:2]:
        host = f"[{canary.host}]" if ":" in canary.host else canary.host
        assert outside.post(f"http://{host}:{canary.port}/", b"{}", {}).status == 200
        assert canary.settled() == 1
        canary.connections = 0


@pytest.fixture
def elsewhere(settings: Settings) -> Iterator[providers.HttpProvider]:
    """A provider that stands for one on the internet: 127.0.0.2 is allowed, and nothing else of this machine."""
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.2/32"})
    with providers.http("127.0.0.2") as provider:
        yield provider


@pytest.fixture
def beside(elsewhere: providers.HttpProvider) -> Iterator[list[Canary]]:
    """Canaries at the same port, where a name would lead that is looked up again."""
    birds = [Canary(host, elsewhere.port) for host in ("127.0.0.1", "::1")]
    yield birds
    touched = {bird.host: bird.settled() for bird in birds}
    for bird in birds:
        bird.close()
    assert touched == {"127.0.0.1": 0, "::1": 0}


@pytest.mark.parametrize("other", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_a_name_that_leads_elsewhere_at_each_look_up_gains_nothing(
    other: str, elsewhere: providers.HttpProvider, beside: list[Canary], resolver: Resolver
) -> None:
    asked = resolver({"rebinding.example": [f"127.0.0.2|{other}"]})
    outcomes = []
    for _ in range(20):
        try:
            outcomes.append(outside.post(f"http://rebinding.example:{elsewhere.port}/x", b"{}", {}).status)
        except outside.Refused:
            outcomes.append(0)

    assert outcomes == [204, 0] * 10
    assert len(asked) == 20, "one look-up each"
    assert len(elsewhere.requests) == 10
    assert {request.headers["host"] for request in elsewhere.requests} == {f"rebinding.example:{elsewhere.port}"}


@pytest.mark.parametrize("order", [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1"]])
def test_one_private_address_among_good_ones_spoils_a_name(
    order: list[str], elsewhere: providers.HttpProvider, beside: list[Canary], resolver: Resolver
) -> None:
    resolver({"mixed.example": order})

    with pytest.raises(outside.Refused):
        outside.post(f"http://mixed.example:{elsewhere.port}/", b"{}", {})
    assert elsewhere.connections == 0


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308, 300, 305])
def test_a_redirect_is_an_answer_and_is_not_followed(
    code: int, elsewhere: providers.HttpProvider, beside: list[Canary]
) -> None:
    port = elsewhere.port
    for to in (
        f"http://127.0.0.1:{port}/",
        f"http://[::1]:{port}/",
        "http://169.254.169.254/",
        elsewhere.url("/again"),
    ):
        elsewhere.behave(providers.redirect(to, code))

        answer = outside.post(elsewhere.url("/x"), b"{}", {})

        assert (answer.status, answer.headers["location"]) == (code, to)
    assert len(elsewhere.requests) == 4


def test_no_proxy_is_taken_from_the_environment(
    elsewhere: providers.HttpProvider, beside: list[Canary], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{elsewhere.port}")
    monkeypatch.setenv("NO_PROXY", "")

    assert outside.post(elsewhere.url("/x"), b"{}", {}).status == 204


def test_another_port_than_the_webs_is_for_allowed_networks(
    resolver: Resolver, elsewhere: providers.HttpProvider
) -> None:
    resolver({"public.example": ["8.8.8.8"], "allowed.example": ["127.0.0.2"]})

    assert outside.post(f"http://allowed.example:{elsewhere.port}/x", b"{}", {}).status == 204
    with pytest.raises(outside.Refused, match="ports 80 and 443 only"):
        outside.post("http://public.example:8080/", b"{}", {})


@pytest.mark.parametrize("url", ["http\u017f://a.example/", "https://a.example/\u017f", "https://\u212a.example/"])
def test_letters_that_only_look_like_ours_are_refused(url: str) -> None:
    with pytest.raises(outside.Refused):
        outside.place_of(url)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("HTTPS://Hooks.Example.COM/A/b?C=d", "https://hooks.example.com/A/b?C=d"),
        ("https://hooks.example.com:443/a", "https://hooks.example.com/a"),
        ("http://hooks.example.com:80", "http://hooks.example.com/"),
        ("http://hooks.example.com?x=1#part", "http://hooks.example.com/?x=1"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://[2606:4700:0:0::1111]/x", "https://[2606:4700::1111]/x"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("http://mattermost:8065/hooks/a", "http://mattermost:8065/hooks/a"),
        ("https://a.example/%2Fx@y/:/[z]/~'()*+,;=!$&", "https://a.example/%2Fx@y/:/[z]/~'()*+,;=!$&"),
    ],
)
def test_a_good_address_is_kept_in_one_spelling(url: str, normal: str) -> None:
    assert outside.place_of(url).url == normal
    assert outside.place_of(normal).url == normal


def test_what_is_allowed_to_go_out_is_not_refused(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every public range, by the addresses of some who live there; nothing is connected to."""
    monkeypatch.setattr(outside, "TOTAL", 0.0)
    for address in ("1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1"):
        outside.place_of(f"https://{address}/")
    for address in ("2606:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2400:cb00::1", "2001:200::1"):
        outside.place_of(f"https://[{address}]/")


# What an exchange costs at most


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr(outside, "CONNECT", 0.3)
    monkeypatch.setattr(outside, "TOTAL", 0.6)
    return 0.6


SLOW = {
    "hangs": providers.hang(),
    "drips its head": providers.drip(0.05),
    "drips before its head": providers.drip(0.05, head=b"HTTP/1.1 2"),
    "never stops to continue": providers.continues,
}


@pytest.mark.parametrize("behaviour", SLOW.values(), ids=SLOW.keys())
def test_the_whole_exchange_ends_in_time(
    behaviour: providers.Behaviour, elsewhere: providers.HttpProvider, hurry: float
) -> None:
    elsewhere.behave(behaviour)
    begun = time.monotonic()

    with pytest.raises(outside.TooSlow, match=r"127\.0\.0\.2"):
        outside.post(elsewhere.url("/secret-path"), b"{}", {})

    assert hurry <= time.monotonic() - begun < hurry + 2


def test_a_body_that_drips_is_cut_and_its_status_kept(elsewhere: providers.HttpProvider, hurry: float) -> None:
    elsewhere.behave(providers.drip_body(0.05))
    begun = time.monotonic()

    answer = outside.post(elsewhere.url(), b"{}", {})

    assert time.monotonic() - begun < hurry + 2
    assert (answer.status, answer.whole) == (200, False)


def test_a_request_that_nobody_reads_ends_in_time(settings: Settings, hurry: float) -> None:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        begun = time.monotonic()

        with pytest.raises(outside.TooSlow):
            outside.post(f"http://127.0.0.1:{deaf.getsockname()[1]}/", b"x" * (32 << 20), {})

        assert time.monotonic() - begun < hurry + 2


def test_a_resolver_that_hangs_ends_in_time_and_holds_up_no_other_name(
    elsewhere: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch, hurry: float
) -> None:
    real, started, stop = socket.getaddrinfo, list[str](), list[bool]()

    def getaddrinfo(host: str, *args: object, **kwargs: object) -> object:
        if host.startswith("hangs"):
            started.append(host)
            while not stop:
                time.sleep(0.01)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real("127.0.0.2" if host == "fine.example" else host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    begun = time.monotonic()
    for _ in range(3):
        with pytest.raises(outside.TooSlow):
            outside.post("https://hangs.example/x", b"{}", {})
        assert outside.post(f"http://fine.example:{elsewhere.port}/x", b"{}", {}).status == 204

    assert time.monotonic() - begun < 3 * hurry + 2
    assert started == ["hangs.example"], "one thread for one name"
    stop.append(True)


def test_hanging_look_ups_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "LOOKUPS", 0)

    with pytest.raises(outside.TooSlow, match="too many names"):
        outside.post("https://hooks.example/", b"{}", {})


def test_an_address_that_swallows_everything_leaves_time_for_the_next(
    elsewhere: providers.HttpProvider, resolver: Resolver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    monkeypatch.setattr(outside, "CONNECT", 0.6)
    with closing(socket.socket()) as full:  # a listener whose queue is full takes no connection, and refuses none
        full.bind(("127.0.0.3", elsewhere.port))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for line in waiting:
            line.setblocking(False)
            line.connect_ex(("127.0.0.3", elsewhere.port))
        resolver({"two.example": ["127.0.0.3", "127.0.0.2"], "one.example": ["127.0.0.3"]})

        assert outside.post(f"http://two.example:{elsewhere.port}/x", b"{}", {}).status == 204
        begun = time.monotonic()
        with pytest.raises(outside.TooSlow, match="did not take the connection"):
            outside.post(f"http://one.example:{elsewhere.port}/x", b"{}", {})
        assert time.monotonic() - begun < 4
        for line in waiting:
            line.close()


@pytest.mark.parametrize("behaviour", [providers.huge(), providers.huge(code=500)])
def test_no_more_is_read_than_the_limit(behaviour: providers.Behaviour, elsewhere: providers.HttpProvider) -> None:
    elsewhere.behave(behaviour)

    answer = outside.post(elsewhere.url("/x"), b"{}", {})

    assert answer.status in (200, 500)
    assert not answer.whole
    assert (60 << 10) < len(answer.body) <= outside.READ


FAULTS = {
    "nonsense": providers.rubbish,
    "a closed connection": providers.closed,
    "headers without end": providers.huge_head,
    "nothing": lambda handler: None,
    "another protocol": lambda handler: handler.raw(b"220 mail.example ESMTP\r\n"),
    "a status of 7": lambda handler: handler.raw(b"HTTP/1.1 7 OK\r\n\r\n"),
}


@pytest.mark.parametrize("behaviour", FAULTS.values(), ids=FAULTS.keys())
def test_what_is_no_answer_is_named_without_the_path(
    behaviour: providers.Behaviour, elsewhere: providers.HttpProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    elsewhere.behave(behaviour)

    with pytest.raises(outside.Unreachable, match=r"127\.0\.0\.2") as fault:
        outside.post(elsewhere.url("/services/SECRET?token=SECRET"), b'"SECRET"', {"Authorization": "Bearer SECRET"})

    assert "SECRET" not in f"{fault.value!r} {fault.value.__cause__!r}"
    assert "SECRET" not in caplog.text


def test_nothing_of_an_address_but_its_host_is_logged(
    elsewhere: providers.HttpProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    outside.post(elsewhere.url("/services/SECRET?token=SECRET"), b'"SECRET"', {"Authorization": "Bearer SECRET"})

    assert elsewhere.requests[0].path == "/services/SECRET?token=SECRET"
    assert "SECRET" not in caplog.text


@pytest.mark.parametrize("value", ["a\r\nX-Injected: b", "a\nb", "a\x00b", "ключ"])
def test_a_header_cannot_bring_another(value: str, elsewhere: providers.HttpProvider) -> None:
    with pytest.raises(outside.Refused) as refusal:
        outside.post(elsewhere.url("/x"), b"{}", {"Authorization": f"Bearer SECRET{value}"})

    assert "SECRET" not in str(refusal.value)
    assert elsewhere.requests == []


def test_nobody_listening_is_unreachable(elsewhere: providers.HttpProvider, resolver: Resolver) -> None:
    resolver({})
    with closing(socket.create_server(("127.0.0.2", 0))) as line:
        port = line.getsockname()[1]

    with pytest.raises(outside.Unreachable, match="does not take connections"):
        outside.post(f"http://127.0.0.2:{port}/", b"{}", {})
    with pytest.raises(outside.Unreachable, match=r"unknown\.example is not known"):
        outside.post("https://unknown.example/", b"{}", {})


def test_a_compressed_answer_is_not_unpacked(elsewhere: providers.HttpProvider) -> None:
    bomb = b"\x1f\x8b\x08" + b"\x00" * 100
    elsewhere.behave(providers.status(200, bomb, Content_Encoding="gzip"))

    answer = outside.post(elsewhere.url("/x"), b"{}", {})

    assert elsewhere.requests[0].headers["accept-encoding"] == "identity"
    assert answer.body == bomb
