"""Requests that mean harm to the door for webhooks, each made from a seed and its number alone, so that any one of them
can be sent again: bodies of a corpus, real bodies spoilt by dice, headers that lie, and now and then a monster."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

PATH = "/webhooks/alertmanager/"
LIMIT = 32 * 1024 * 1024  # bytes of a body
MONSTER_EACH = 257  # a prime, so that every sender gets its share; all kinds come within 5,000 requests
DIGITS = "9" * 4301  # one more than Python turns into a number

_CAPTURES = Path(__file__).parent.parent / "alertmanager" / "captures"
_LONGEST = 40_000  # bytes of a capture that is spoilt: thousands of them are sent


@dataclass(frozen=True)
class Request:
    """What goes over the wire. `is_http` is False where it breaks HTTP itself, so that a hang-up answers it too."""

    kind: str
    body: bytes = b""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    method: str = "POST"
    is_http: bool = True

    def wire(self, token: str) -> bytes:
        headers = {
            "Host": "burnline.example.com",
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            **self.headers,
        }
        lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
        return "\r\n".join([f"{self.method} {PATH} HTTP/1.1", *lines, "", ""]).encode("latin-1") + self.body


def request(seed: int, number: int) -> Request:
    """The one with this number; the same each time."""
    dice = Random(f"{seed}:{number}")
    if number % MONSTER_EACH == 0:
        return _made(MONSTERS, list(MONSTERS)[number // MONSTER_EACH % len(MONSTERS)], dice)
    draw = dice.random()
    if draw < 0.5:
        return Request("spoilt capture", _spoilt(dice))
    if draw < 0.85:
        return _made(BODIES, dice.choice(list(BODIES)), dice)
    return HEADERS[kind := dice.choice(list(HEADERS))](kind, _notification(dice), dice)


def _made(corpus: Mapping[str, Callable[[Random], bytes]], kind: str, dice: Random) -> Request:
    headers = {"Content-Encoding": kind.split()[0]} if kind.endswith("that says so") else {}
    if " in the charset " in kind:
        headers["Content-Type"] = f"application/json; charset={kind.split()[-1]}"
    return Request(kind, corpus[kind](dice), headers)


def _alert(dice: Random, **fields: Any) -> dict[str, Any]:
    name = f"Hostile{dice.randrange(200)}"
    return {
        "status": dice.choice(("firing", "resolved")),
        "labels": {"alertname": name, "severity": "critical"},
        "annotations": {"summary": "Look"},
        "startsAt": "2026-03-02T09:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": f"{dice.randrange(2**64):016x}",
        **fields,
    }


def _whole(*alerts: Any, **fields: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="Hostile"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "burnline",
        "groupLabels": {"alertname": "Hostile"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": list(alerts),
        **fields,
    }


def _encoded(value: Any) -> bytes:
    return json.dumps(value).replace('"@digits@"', DIGITS).encode()


def _notification(dice: Random, **fields: Any) -> bytes:
    """One that is well but for these fields of its alert."""
    return _encoded(_whole(_alert(dice), _alert(dice, **fields)))


def _odd(dice: Random) -> Any:
    """A value that is seldom the right one."""
    return dice.choice(
        (
            *(None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**400, "@digits@", float("nan"), float("inf")),
            *("", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "4", "true", "firing", "\N{BYTE ORDER MARK}"),
            *([], {}, [[]], [None], {"": ""}, {"a": None}, {"\0": "\ud800"}, [{}], {"labels": []}, "x" * 70_000),
            *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "0000-00-00T00:00:00Z", "2026-02-30T25:61:61Z"),
        )
    )


def _label(name: str, value: str) -> Callable[[Random], bytes]:
    return lambda dice: _notification(dice, labels={"alertname": "Hostile", name: value})


def _field(**fields: Any) -> Callable[[Random], bytes]:
    return lambda dice: _notification(dice, **fields)


def _cover(**fields: Any) -> Callable[[Random], bytes]:
    return lambda dice: _encoded(_whole(_alert(dice), **fields))


def _raw(body: bytes) -> Callable[[Random], bytes]:
    return lambda dice: body


def _within(text: str) -> Callable[[Random], bytes]:
    """A label whose value is this, written into the JSON as it is."""
    return lambda dice: _notification(dice, labels={"alertname": "@here@"}).replace(b'"@here@"', text.encode())


def _alertmanagers_field_is_odd(dice: Random) -> bytes:
    whole = _whole(_alert(dice))
    whole[dice.choice(list(whole))] = _odd(dice)
    return _encoded(whole)


def _alerts_field_is_odd(dice: Random) -> bytes:
    alert = _alert(dice)
    name = dice.choice(list(alert))
    alert[name] = _odd(dice)
    if dice.random() < 0.3:
        del alert[name]
    return _encoded(_whole(_alert(dice), alert))


def _duplicate_keys(dice: Random) -> bytes:
    body = _notification(dice)
    return body.replace(b'"alerts":', b'"alerts": [1, 2], "version": "3", "version": "4", "alerts":', 1)


def _cut(dice: Random) -> bytes:
    body = _notification(dice)
    return body[: dice.randrange(len(body))]


def _bytes(dice: Random) -> bytes:
    return dice.randbytes(dice.randrange(2000))


SQL = "'); DROP TABLE alerts_alert; --"
HTML = "<script>alert(1)</script>"
GOOD = json.dumps(_whole(_alert(Random(0)))).encode()

BODIES: dict[str, Callable[[Random], bytes]] = {
    "nothing": _raw(b""),
    "a word": _raw(b"hello"),
    "null": _raw(b"null"),
    "an array": _raw(b"[]"),
    "a string": _raw(b'"alerts"'),
    "a number of 4,301 digits": _raw(DIGITS.encode()),
    "a thousand brackets": _raw(b"[" * 1000),
    "a thousand brackets that end": _raw(b"[" * 1000 + b"]" * 1000),
    "deep labels": _within('{"a":' * 900 + "1" + "}" * 900),
    "bytes of dice": _bytes,
    "cut short": _cut,
    "duplicate keys": _duplicate_keys,
    "a field of the notification is odd": _alertmanagers_field_is_odd,
    "a field of an alert is odd": _alerts_field_is_odd,
    "version 3": _cover(version="3"),
    "version 5": _cover(version="5"),
    "version as a number": _cover(version=4),
    "no alerts": lambda dice: _encoded(_whole()),
    "alerts of everything": lambda dice: _encoded(_whole(*(_odd(dice) for _ in range(50)))),
    "a thousand numbers": lambda dice: _encoded(_whole(*range(1000))),
    "a group without a name": _cover(groupKey=""),
    "a group of NUL": _cover(groupKey="\0"),
    "a group with a long name": _cover(groupKey="x" * 100_000),
    "a raw NUL": _within('"a\0b"'),
    "an escaped NUL": _within(r'"a\u0000b"'),
    "nothing but NUL": _within(r'"\u0000"'),
    "a lone surrogate": _within(r'"\ud800"'),
    "surrogates in the wrong order": _within(r'"\udc00\ud800"'),
    "a name of spaces": _within('"   "'),
    "NaN": _within("NaN"),
    "Infinity": _within("-Infinity"),
    "invalid UTF-8": lambda dice: _notification(dice).replace(b"Look", b"\xff\xfe\xc3\x28"),
    "an overlong slash": lambda dice: _notification(dice).replace(b"Look", b"\xc0\xaf"),
    "a surrogate as UTF-8": lambda dice: _notification(dice).replace(b"Look", b"\xed\xa0\x80"),
    "a byte order mark": lambda dice: b"\xef\xbb\xbf" + _notification(dice),
    "utf-16": lambda dice: _notification(dice).decode().encode("utf-16"),
    "bytes in the charset utf-16": lambda dice: _notification(dice).decode().encode("utf-16"),
    "bytes in the charset utf-7": lambda dice: _notification(dice).decode().encode("utf-7"),
    "bytes in the charset nonsense": lambda dice: _notification(dice),
    "gzip bytes": lambda dice: gzip.compress(_notification(dice)),
    "gzip bytes that says so": lambda dice: gzip.compress(_notification(dice)),
    "bz2 bytes": lambda dice: bz2.compress(_notification(dice)),
    "bz2 bytes that says so": lambda dice: bz2.compress(_notification(dice)),
    "year 1": _field(startsAt="0001-01-01T00:00:00Z"),
    "year 1, further east": _field(startsAt="0001-01-01T00:00:00+14:00"),
    "year 9999": _field(startsAt="9999-12-31T23:59:59.999999Z", endsAt="9999-12-31T23:59:59-14:00"),
    "an end before its start": _field(status="resolved", endsAt="2001-01-01T00:00:00Z"),
    "nine digits of a second": _field(startsAt="2026-03-02T09:00:00.123456789Z"),
    "an offset of 25 hours": _field(startsAt="2026-03-02T09:00:00+25:00"),
    "a time without a zone": _field(startsAt="2026-03-02T09:00:00"),
    "a leap second": _field(startsAt="2026-06-30T23:59:60Z"),
    "a fingerprint of nothing": _field(fingerprint=""),
    "a fingerprint of 65": _field(fingerprint="f" * 65),
    "a fingerprint of NUL": _field(fingerprint="\0" * 64),
    "a label that is SQL": _label(SQL, SQL),
    "a label that is HTML": _label(HTML, HTML),
    "a label without a name": _label("", ""),
    "a label that names a column": _label("__proto__", '{"id": 1}'),
    "no labels": _field(labels={}),
    "labels of 3 KB each": _field(labels={f"l{n}": f"{n}" * 1000 for n in range(50)}),
    "a severity of HTML": _label("severity", HTML),
    "an SLO of SQL": _label("slo_id", SQL),
    "a link that runs": _field(generatorURL="javascript:alert(1)"),
}

# Each takes hundreds of milliseconds or many bytes: they come once in MONSTER_EACH requests.
MONSTERS: dict[str, Callable[[Random], bytes]] = {
    "100,000 brackets": _raw(b"[" * 100_000),
    "1,000,000 brackets": _raw(b"[" * 1_000_000),
    "1,000,000 brackets that end": lambda dice: b"[" * 1_000_000 + b"]" * 1_000_000,
    "100,000 objects within each other": _raw(b'{"a":' * 100_000),
    "1,000,000 objects within each other": _raw(b'{"a":' * 1_000_000),
    "deep labels of 100,000": _within('{"a":' * 100_000 + "1" + "}" * 100_000),
    "1,000,000 keys": lambda dice: (
        b'{"version":"4","alerts":[],' + b",".join(b'"%d":0' % n for n in range(10**6)) + b"}"
    ),
    "100,000 numbers": lambda dice: _encoded(_whole(*range(100_000))),
    "2,000,000 empty alerts": lambda dice: b'{"version":"4","groupKey":"a","alerts":[' + b"{}," * 2_000_000 + b"{}]}",
    "501 alerts": lambda dice: _encoded(_whole(*(_alert(dice) for _ in range(501)))),
    "5,000 alerts, most of them odd": lambda dice: _encoded(
        _whole(*(_alert(dice, **{dice.choice(("status", "startsAt", "fingerprint")): _odd(dice)}) for _ in range(5000)))
    ),
    "a label of 1 MB": lambda dice: _label("long", "x" * 1_000_000)(dice),
    "a name of 1 MB": lambda dice: _label("alertname", "\N{SNOWMAN}" * 1_000_000)(dice),
    "a label's name of 1 MB": lambda dice: _label("x" * 1_000_000, "long")(dice),
    "10,000 labels": lambda dice: _notification(dice, labels={f"label{n}": str(n) for n in range(10_000)}),
    "as large as may be": lambda dice: _filled(dice, LIMIT),
    "one byte larger than may be": lambda dice: _filled(dice, LIMIT + 1),
    "32 MiB of spaces": lambda dice: b" " * LIMIT,
    "gzip of 32 MiB that says so": lambda dice: gzip.compress(b"[" * LIMIT),
}


def _filled(dice: Random, size: int) -> bytes:
    body = _notification(dice, annotations={"text": "@fill@"})
    return body.replace(b"@fill@", b"x" * (size - len(body) + len(b"@fill@")))


def _with(*, is_http: bool = True, **headers: str | None) -> Callable[[str, bytes, Random], Request]:
    """A good body under these headers; those that are None are left out."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda kind, body, dice: Request(kind, body, named, is_http=is_http)


def _chunked(body: bytes, size: str) -> bytes:
    return f"{size}\r\n".encode() + body + b"\r\n0\r\n\r\n"


def _chunks(size: str | None) -> Callable[[str, bytes, Random], Request]:
    """In one chunk that says to be this long; as long as it is where that is None."""
    named = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    return lambda kind, body, dice: Request(kind, _chunked(body, size or f"{len(body):x}"), named, is_http=size is None)


def _method(name: str, *, is_http: bool = True) -> Callable[[str, bytes, Random], Request]:
    return lambda kind, body, dice: Request(kind, b"", {}, name, is_http)


HEADERS: dict[str, Callable[[str, bytes, Random], Request]] = {
    "no token": _with(Authorization=None),
    "another token": _with(Authorization="Bearer bli_" + "x" * 43),
    "a token of 60 KB": _with(Authorization="Bearer " + "x" * 60_000),
    "a token of bytes": _with(Authorization="Bearer \xff\xfe\xa0"),
    "half a token": _with(Authorization="Bearer"),
    "a scheme that is none": _with(Authorization="Negotiate YII="),
    "Basic that is no Base64": _with(Authorization="Basic !!!"),
    "Basic without a colon": _with(Authorization="Basic d3Jvbmc="),
    "Basic of NUL": _with(Authorization="Basic AAAA"),
    "a length that is longer": _with(is_http=False, Content_Length="99999"),
    "a length that is shorter": _with(is_http=False, Content_Length="7"),
    "a length below nothing": _with(is_http=False, Content_Length="-1"),
    "a length that is a word": _with(is_http=False, Content_Length="many"),
    "a length of 40 digits": _with(is_http=False, Content_Length="9" * 40),
    "a length of 33 MiB": _with(is_http=False, Content_Length=str(LIMIT + 1)),
    "no length": _with(is_http=False, Content_Length=None),
    "two lengths": _with(is_http=False, Content_Length="5\r\nContent-Length: 6"),
    "two tokens": _with(is_http=False, Authorization="Bearer a\r\nAuthorization: Bearer b"),
    "a length and chunks": _with(is_http=False, Transfer_Encoding="chunked"),
    "chunks": _chunks(None),
    "a chunk that is longer": _chunks("fffff"),
    "a chunk that is shorter": _chunks("3"),
    "a chunk that is a word": _chunks("many"),
    "a chunk below nothing": _chunks("-5"),
    "a chunk of 2^64": _chunks("ffffffffffffffffff"),
    "a coding that is none": _with(is_http=False, Transfer_Encoding="nonsense", Content_Length=None),
    "a header without a name": lambda kind, body, dice: Request(kind, body, {"": "x"}, is_http=False),
    "a header with NUL": _with(is_http=False, X_Odd="a\0b"),
    "a thousand headers": lambda kind, body, dice: Request(kind, body, {f"X-{n}": "y" for n in range(1000)}),
    "no type": _with(Content_Type=""),
    "a form": _with(Content_Type="application/x-www-form-urlencoded"),
    "a form of many parts": _with(Content_Type="multipart/form-data; boundary=x"),
    "a host of spaces": _with(is_http=False, Host="a b\tc"),
    "a host of HTML": _with(Host=HTML),
    "another method, told otherwise": _with(X_HTTP_Method_Override="DELETE"),
    "GET": _method("GET"),
    "HEAD": _method("HEAD"),
    "PUT": _method("PUT"),
    "DELETE": _method("DELETE"),
    "OPTIONS": _method("OPTIONS"),
    "TRACE": _method("TRACE"),
    "CONNECT": _method("CONNECT", is_http=False),
    "a method that is none": _method("HARM", is_http=False),
    "a method of lower case": _method("post", is_http=False),
}


def _captured() -> list[bytes]:
    """What a real Alertmanager sent."""
    found = []
    for file in sorted(_CAPTURES.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            body = json.loads(line)["body"]
            if body and len(line) < _LONGEST:
                found.append(json.dumps(body, ensure_ascii=False).encode())
    return found


_captures: list[bytes] = []


def _spoilt(dice: Random) -> bytes:
    """A real body that was harmed in one to three ways."""
    if not _captures:
        _captures.extend(_captured())
    body = dice.choice(_captures)
    for _ in range(dice.randint(1, 3)):
        body = dice.choice(HARMS)(body, dice)
    return body


def _flip(body: bytes, dice: Random) -> bytes:
    spoilt = bytearray(body or b"x")
    for _ in range(dice.randint(1, 4)):
        spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
    return bytes(spoilt)


def _shorten(body: bytes, dice: Random) -> bytes:
    return body[: dice.randrange(len(body) + 1)]


def _repeat(body: bytes, dice: Random) -> bytes:
    begin = dice.randrange(len(body) + 1)
    end = min(len(body), begin + dice.randrange(300))
    return body[:end] + body[begin:end] * dice.randint(1, 3) + body[end:]


def _leave_out(body: bytes, dice: Random) -> bytes:
    begin = dice.randrange(len(body) + 1)
    return body[:begin] + body[begin + dice.randrange(100) :]


def _put_in(body: bytes, dice: Random) -> bytes:
    at = dice.randrange(len(body) + 1)
    odd = (b"\0", b"\xff", b'"', b"\\u0000", b"\\ud800", b"[" * 500, b"}", b"null", b"1e999", b"\xef\xbb\xbf", b"\\")
    return body[:at] + dice.choice(odd) + body[at:]


def _swap(body: bytes, dice: Random) -> bytes:
    """Another type somewhere within, or the value of another place."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return _flip(body, dice)
    places = list(_places(value))
    for _ in range(dice.randint(1, 3) if places else 0):
        holder, key = dice.choice(places)
        if dice.random() < 0.5:
            holder[key] = _odd(dice)
        else:
            other, its = dice.choice(places)
            holder[key] = json.loads(json.dumps(other[its])) if its in _keys(other) else None
    return _encoded(value)


def _places(value: Any) -> list[tuple[Any, Any]]:
    found = []
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict | list):
            for key in _keys(each):
                found.append((each, key))
                todo.append(each[key])
    return found


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, dict) else list(range(len(value)))


HARMS = (_flip, _shorten, _repeat, _leave_out, _put_in, _swap, _swap, _swap)
