"""The bridge under a real uvicorn, with WSGI applications of a few lines."""

import asyncio
import contextlib
import contextvars
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from asgiref.typing import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendEvent, HTTPRequestEvent, HTTPScope

from common.headers import SECURITY_HEADERS
from config import bodies
from config.bodies import Bound
from config.bridge import Bridge
from tests.serving import served

SMALL = (
    Bound("/webhooks/", size=1000, seconds=0.4, view_refuses=True),
    Bound("", size=100, seconds=0.4),
)


class Recorder:
    """A WSGI application that answers 200 with its environ as JSON, and keeps what it was called with."""

    def __init__(self) -> None:
        self.calls: list[WSGIEnvironment] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        self.calls.append({**environ, "body": body})
        start_response("200 OK", [("Content-Type", "application/json")])
        plain = {key: value for key, value in environ.items() if isinstance(value, str)}
        return [json.dumps(plain | {"body": body.decode("latin-1")}).encode()]


class Result:
    """A WSGI result that knows who closed it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = chunks
        self.made_in: str | None = None
        self.closed_in: list[str] = []
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        self.made_in = threading.current_thread().name
        yield from self.chunks

    def close(self) -> None:
        self.closed_in.append(threading.current_thread().name)
        self.closed.set()


def answering(
    chunks: Iterable[bytes], status: str = "200 OK", headers: tuple[tuple[str, str], ...] = ()
) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return chunks

    return application


def ask(
    port: int, path: str = "/", method: str = "GET", body: Any = None, headers: tuple[tuple[str, str], ...] = ()
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.putrequest(method, path, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    chunked = body is not None and not isinstance(body, bytes)
    if isinstance(body, bytes):
        connection.putheader("Content-Length", str(len(body)))
    elif chunked:
        connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders(body, encode_chunked=chunked)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


@contextlib.contextmanager
def said(port: int, data: bytes) -> Iterator[socket.socket]:
    """A connection on which `data` was said."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(data)
        yield connection


def heard(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    while data := connection.recv(65536):
        parts.append(data)
    return b"".join(parts)


def scope() -> HTTPScope:
    return cast(
        HTTPScope,
        {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": [],
            "client": None,
            "server": None,
        },
    )


def a_whole_request() -> ASGIReceiveCallable:
    """What a client that stays says: a request without a body, and then nothing."""
    events: Iterator[HTTPRequestEvent] = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> ASGIReceiveEvent:
        for event in events:
            return event
        await asyncio.Event().wait()
        raise AssertionError("nothing ever comes")

    return receive


def eventually(condition: Callable[[], bool], seconds: float = 3) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_the_request_reaches_the_application_as_it_was_sent() -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        ask(port, "/incidents/7/?a=1&b=%20", "PATCH", b"{}", (("Content-Type", "application/json"), ("X-Who", "alice")))

    (call,) = application.calls
    assert call["REQUEST_METHOD"] == "PATCH"
    assert call["PATH_INFO"] == "/incidents/7/"
    assert call["SCRIPT_NAME"] == ""
    assert call["QUERY_STRING"] == "a=1&b=%20"
    assert call["CONTENT_TYPE"] == "application/json"
    assert call["CONTENT_LENGTH"] == "2"
    assert call["HTTP_X_WHO"] == "alice"
    assert call["HTTP_HOST"] == f"127.0.0.1:{port}"
    assert call["SERVER_NAME"] == "127.0.0.1"
    assert call["SERVER_PORT"] == str(port)
    assert call["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert call["REMOTE_ADDR"] == "127.0.0.1"
    assert call["wsgi.url_scheme"] == "http"
    assert call["body"] == b"{}"


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/caf%C3%A9/", "/caf\u00c3\u00a9/"),
        ("/%ff%FE/", "/\u00ff\u00fe/"),
        ("/a%2Fb%3F%00", "/a/b?\x00"),
        ("/100%", "/100%"),
    ],
)
def test_a_path_arrives_byte_for_byte_also_when_it_is_not_utf_8(sent: str, path: str) -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        response, _ = ask(port, sent)

    assert response.status == 200
    assert application.calls[0]["PATH_INFO"] == path


def test_a_header_with_an_underscore_cannot_pass_for_one_with_a_dash() -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        ask(port, headers=(("X_Forwarded_For", "6.6.6.6"), ("Content_Length", "9")))

    assert "HTTP_X_FORWARDED_FOR" not in application.calls[0]
    assert "HTTP_CONTENT_LENGTH" not in application.calls[0]


def test_repeated_headers_are_joined() -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        ask(port, headers=(("Accept", "a"), ("Accept", "b"), ("Cookie", "c=1"), ("Cookie", "d=2")))

    assert application.calls[0]["HTTP_ACCEPT"] == "a,b"
    assert application.calls[0]["HTTP_COOKIE"] == "c=1; d=2"


@pytest.mark.parametrize("name", ["Host", "Authorization", "Content-Type"])
def test_a_header_of_which_there_is_one_is_refused_when_it_comes_twice(name: str) -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        response, content = ask(port, headers=((name, "a"), (name, "b")))

    assert response.status == 400
    assert json.loads(content)["code"] == "repeated_header"
    assert not application.calls


def test_a_chunked_body_is_given_whole_with_its_length() -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        ask(port, method="POST", body=iter([b"one ", b"two ", b"three"]))

    (call,) = application.calls
    assert call["body"] == b"one two three"
    assert call["CONTENT_LENGTH"] == "13"
    assert "HTTP_TRANSFER_ENCODING" not in call


def test_a_client_that_asks_before_sending_is_told_to_go_on() -> None:
    application = Recorder()
    ahead = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"

    with served(Bridge(application)) as port, said(port, ahead) as connection:
        interim = connection.recv(1000)
        connection.sendall(b"hello")
        final = heard(connection)

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert final.startswith(b"HTTP/1.1 200 OK")
    assert application.calls[0]["body"] == b"hello"


def test_head_gets_the_headers_alone() -> None:
    result = Result([b"page"])
    length = (("Content-Length", "4"), ("X-Page", "yes"))

    with (
        served(Bridge(answering(result, headers=length))) as port,
        said(port, b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as connection,
    ):
        answer = heard(connection).lower()

    assert b"content-length: 4\r\n" in answer
    assert b"x-page: yes\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    assert len(result.closed_in) == 1


def test_head_does_not_run_a_stream_to_its_end() -> None:
    numbers = itertools.count()
    result = Result(b"%d" % number for number in numbers)

    with served(Bridge(answering(result))) as port:
        response, content = ask(port, method="HEAD")

    assert (response.status, content) == (200, b"")
    assert len(result.closed_in) == 1
    assert next(numbers) == 1


def test_an_answer_in_memory_says_its_length() -> None:
    with served(Bridge(answering([b"two ", b"parts"]))) as port:
        response, content = ask(port)

    assert response.headers["content-length"] == "9"
    assert content == b"two parts"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("streams", [False, True])
def test_an_answer_without_a_body_has_none(status: str, streams: bool) -> None:
    chunks: Iterable[bytes] = iter(()) if streams else [b""]

    with (
        served(Bridge(answering(chunks, status, (("Content-Length", "0"),)))) as port,
        said(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as connection,
    ):
        answer = heard(connection).lower()

    assert answer.startswith(f"http/1.1 {status}".lower().encode())
    assert b"content-length" not in answer
    assert answer.endswith(b"\r\n\r\n")


def test_headers_may_repeat_in_an_answer() -> None:
    with served(Bridge(answering([b""], headers=(("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))))) as port:
        response, _ = ask(port)

    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_a_connection_serves_one_request_after_another() -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        for number in range(3):
            connection.request("POST", f"/{number}", body=b"x" * number)
            assert connection.getresponse().read()
        connection.close()

    assert [call["PATH_INFO"] for call in application.calls] == ["/0", "/1", "/2"]


def test_an_application_may_begin_its_answer_with_its_first_chunk() -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        yield b"late"

    with served(Bridge(application)) as port:
        response, content = ask(port)
        head, _ = ask(port, method="HEAD")

    assert (response.status, content) == (200, b"late")
    assert (head.status, head.headers["content-length"]) == (200, "4")


def test_what_an_application_writes_by_hand_comes_first() -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"old ")
        return [b"way"]

    with served(Bridge(application)) as port:
        _, content = ask(port)

    assert content == b"old way"


def test_a_stream_arrives_while_it_is_made() -> None:
    go_on = threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"first"
        assert go_on.wait(5)
        yield b"second"

    with served(Bridge(answering(chunks()))) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        response = connection.getresponse()
        first = response.read(5)
        go_on.set()
        rest = response.read()
        connection.close()

    assert (first, rest) == (b"first", b"second")


@pytest.mark.parametrize("chunks", [[], [b"one"], [b"one", b"", b"two"]])
def test_a_result_is_closed_once_in_the_thread_that_made_it(chunks: list[bytes]) -> None:
    result = Result(chunks)

    with served(Bridge(answering(result))) as port:
        _, content = ask(port)

    assert content == b"".join(chunks)
    assert result.closed_in == [result.made_in]
    assert result.made_in
    assert result.made_in.startswith("bridge")


def test_a_reader_who_leaves_ends_the_stream() -> None:
    def chunks() -> Iterator[bytes]:
        while True:
            time.sleep(0.01)
            yield b"more"

    result = Result(chunks())

    with served(Bridge(answering(result), threads=1)) as port:
        with said(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
            connection.recv(100)
        assert result.closed.wait(3)

    assert result.closed_in == [result.made_in]


def test_a_reader_who_does_not_read_a_stream_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    def chunks() -> Iterator[bytes]:
        while True:
            yield b"x" * 65536

    result = Result(chunks())

    with (
        served(Bridge(answering(result), threads=1, patience=0.3)) as port,
        said(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ):
        assert result.closed.wait(5)

    assert "did not read on" in caplog.text


def test_a_server_that_stops_frees_the_thread_of_a_stream_that_nobody_reads() -> None:
    result = Result(iter([b"more"] * 10))

    async def stopped() -> None:
        sending = asyncio.Event()

        async def send(event: ASGISendEvent) -> None:
            sending.set()
            await asyncio.Event().wait()

        bridge = Bridge(answering(result))
        request = asyncio.create_task(bridge(scope(), a_whole_request(), send))
        await sending.wait()
        await asyncio.sleep(0.1)  # by now the thread waits too
        request.cancel()
        await bridge.drain(3)
        assert result.closed.is_set()

    asyncio.run(stopped())


@pytest.mark.parametrize(
    ("kind", "headers"),
    [(list, ()), (iter, (("Content-Length", "4"),))],
    ids=["in memory", "a short stream"],
)
def test_the_thread_is_free_before_an_answer_that_fits_in_memory_is_sent(
    kind: Callable[[list[bytes]], Iterable[bytes]], headers: tuple[tuple[str, str], ...]
) -> None:
    closed_at_send: list[bool] = []

    class Closing(Result):
        streaming = kind is iter

    result = Closing([b"page"])

    async def send(event: ASGISendEvent) -> None:
        closed_at_send.append(result.closed.is_set())

    asyncio.run(Bridge(answering(result, headers=headers))(scope(), a_whole_request(), send))

    assert closed_at_send == [True, True]


def test_pages_are_answered_while_a_reader_does_not_read_a_large_one() -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"x" * 20_000_000] if environ["PATH_INFO"] == "/large" else [b"small"]

    with (
        served(Bridge(application, threads=1)) as port,
        said(port, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n") as connection,
    ):
        connection.recv(100)
        _, content = ask(port)

    assert content == b"small"


def test_a_body_declared_too_large_is_refused_before_it_is_sent() -> None:
    application = Recorder()
    ahead = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\nExpect: 100-continue\r\n\r\n"

    with served(Bridge(application, bounds=SMALL)) as port, said(port, ahead) as connection:
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_large"
    assert not application.calls


def test_a_body_that_turns_out_too_large_is_refused() -> None:
    application = Recorder()

    with served(Bridge(application, bounds=SMALL)) as port:
        response, content = ask(port, method="POST", body=iter([b"x" * 60, b"x" * 41]))

    assert response.status == 413
    assert response.headers["connection"] == "close"
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(content)["status"] == 413
    assert not application.calls


def test_who_writes_on_for_long_is_heard_out_and_hears_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a reset would meet the sender in place of the answer, and it would send all of it again."""
    monkeypatch.setattr(bodies, "LINGER", 0.4)
    bounds = (Bound("", size=100, seconds=10),)

    with (
        served(Bridge(Recorder(), bounds=bounds)) as port,
        said(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n") as connection,
    ):
        for _ in range(10):
            time.sleep(0.1)
            connection.sendall(b"x" * 100)
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("body", [b"x" * 100, iter([b"x" * 50, b"x" * 50])], ids=["declared", "chunked"])
def test_a_body_as_large_as_is_allowed_is_taken(body: Any) -> None:
    application = Recorder()

    with served(Bridge(application, bounds=SMALL)) as port:
        response, _ = ask(port, method="POST", body=body)

    assert response.status == 200
    assert application.calls[0]["CONTENT_LENGTH"] == "100"


def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    application = Recorder()

    with (
        served(Bridge(application, bounds=SMALL)) as port,
        said(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nx") as connection,
    ):
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert not application.calls


@pytest.mark.parametrize(
    ("rest", "fault"),
    [
        (b"Content-Length: 1001\r\n\r\n", "too_large"),
        (b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, "too_large"),
        (b"Content-Length: 50\r\n\r\nx", "too_slow"),
    ],
    ids=["declared too large", "too large", "too slow"],
)
@pytest.mark.parametrize("path", [b"/webhooks/alertmanager/", b"/%77ebhooks/alertmanager"])
def test_a_webhook_hears_of_the_fault_in_place_of_the_body(path: bytes, rest: bytes, fault: str) -> None:
    application = Recorder()

    with (
        served(Bridge(application, bounds=SMALL)) as port,
        said(port, b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n" + rest) as connection,
    ):
        answer = heard(connection)

    (call,) = application.calls
    assert call["burnline.body_fault"] == fault
    assert call["HTTP_AUTHORIZATION"] == "Bearer t"
    assert call["body"] == b""
    assert call["CONTENT_LENGTH"] == "0"
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close\r\n" in answer


def test_no_header_can_claim_a_fault_of_the_body() -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        ask(port, "/webhooks/", headers=(("burnline.body_fault", "too_large"),))

    assert "burnline.body_fault" not in application.calls[0]


def test_a_webhook_may_be_larger_than_other_requests() -> None:
    application = Recorder()

    with served(Bridge(application)) as port:
        five_mib = b"x" * (5 << 20)
        webhook, _ = ask(port, "/webhooks/alertmanager/", "POST", five_mib)

    assert webhook.status == 200
    assert len(application.calls[0]["body"]) == len(five_mib)


def test_a_large_upload_hears_why_it_is_refused() -> None:
    with served(Bridge(Recorder())) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        # The server hangs up while we send, as it should; its answer lies here already.
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n" + b"x" * 67108864)
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_nothing_runs_for_a_sender_who_leaves() -> None:
    application = Recorder()
    bridge = Bridge(application)

    with served(bridge) as port:
        with said(port, b"POST /webhooks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf"):
            assert eventually(lambda: bridge.bytes_held == 4)
        assert eventually(lambda: bridge.bytes_held == 0)
        ask(port, "/after")

    assert [call["PATH_INFO"] for call in application.calls] == ["/after"]


def test_bodies_past_what_the_process_may_hold_are_asked_to_come_later() -> None:
    application = Recorder()
    bridge = Bridge(application, ceiling=1000)
    half = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600\r\n\r\n" + b"x" * 500

    with served(bridge) as port:
        with said(port, half):
            assert eventually(lambda: bridge.bytes_held == 500)
            refused, content = ask(port, "/webhooks/alertmanager/", "POST", b"x" * 300)
            taken, _ = ask(port, "/webhooks/alertmanager/", "POST", b"x" * 250)
        assert eventually(lambda: bridge.bytes_held == 0)
        later, _ = ask(port, "/webhooks/alertmanager/", "POST", b"x" * 300)

    assert refused.status == 503
    assert refused.headers["retry-after"] == "2"
    assert json.loads(content)["code"] == "busy"
    assert (taken.status, later.status) == (200, 200)


def test_an_error_of_the_application_is_a_problem_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise ValueError("the reason")

    with served(Bridge(application)) as port:
        response, content = ask(port, "/a%0Ab")

    assert response.status == 500
    assert json.loads(content)["code"] == "broken"
    assert b"the reason" not in content
    assert "the reason" in caplog.text
    assert "'/a\\nb'" in caplog.text


def test_an_error_before_the_first_byte_of_a_stream_is_a_problem_too() -> None:
    result = Result(bytes(length) for length in [0, -1])

    with served(Bridge(answering(result))) as port:
        response, _ = ask(port)

    assert response.status == 500
    assert len(result.closed_in) == 1


def test_an_error_in_the_middle_of_an_answer_cuts_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("the reason")

    with (
        served(Bridge(answering(chunks()))) as port,
        said(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as connection,
    ):
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"half\r\n")  # the last chunk, of length 0, never came
    assert "the reason" in caplog.text


def broken(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise ValueError


@pytest.mark.parametrize(
    ("status", "request_line", "rest"),
    [
        (400, b"GET / HTTP/1.1\r\n", b"Host: y\r\n\r\n"),
        (408, b"POST / HTTP/1.1\r\n", b"Content-Length: 9\r\n\r\n"),
        (413, b"POST / HTTP/1.1\r\n", b"Content-Length: 999\r\n\r\n"),
        (500, b"GET / HTTP/1.1\r\n", b"\r\n"),
        (503, b"POST / HTTP/1.1\r\n", b"Content-Length: 90\r\n\r\n" + b"x" * 90),
    ],
)
def test_the_bridges_own_answers_carry_the_security_headers(status: int, request_line: bytes, rest: bytes) -> None:
    with (
        served(Bridge(broken, bounds=SMALL, ceiling=80)) as port,
        said(port, request_line + b"Host: x\r\n" + rest) as connection,
    ):
        answer = HTTPResponse(connection)
        answer.begin()
        document = json.loads(answer.read())

    assert answer.status == status
    assert document["status"] == status
    assert set(document) == {"type", "title", "status", "detail", "code"}
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_a_request_meets_nothing_of_the_one_before_in_its_thread() -> None:
    who = contextvars.ContextVar("who", default="nobody")

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        before = who.get()
        who.set("alice")
        return [before.encode()]

    with served(Bridge(application, threads=1)) as port:
        answers = [ask(port)[1] for _ in range(3)]

    assert answers == [b"nobody"] * 3


@pytest.mark.parametrize(("seconds", "ended"), [(5.0, True), (0.05, False)])
def test_draining_waits_for_what_runs_but_not_for_ever(seconds: float, ended: bool) -> None:
    begun, release, done = threading.Event(), threading.Event(), threading.Event()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        begun.set()
        release.wait(0.5)
        done.set()
        start_response("200 OK", [])
        return []

    async def send(event: ASGISendEvent) -> None:
        pass

    async def drained() -> bool:
        bridge = Bridge(application)
        request = asyncio.create_task(bridge(scope(), a_whole_request(), send))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        request.cancel()
        await bridge.drain(seconds)
        return done.is_set()

    assert asyncio.run(drained()) is ended
    release.set()


def test_who_writes_all_before_reading_hears_the_refusal() -> None:
    """Not a reset: what is still being written is read and dropped for a moment."""
    body = b"x" * 20_000_000
    ahead = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    with served(Bridge(Recorder(), bounds=SMALL)) as port, said(port, ahead) as connection:
        connection.sendall(body)
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_who_writes_all_before_reading_hears_that_there_is_no_room() -> None:
    body = b"x" * 20_000_000
    ahead = f"POST /webhooks/ HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    bridge = Bridge(Recorder(), ceiling=1_000_000)

    with served(bridge) as port, said(port, ahead) as connection:
        connection.sendall(body[1:])
        assert eventually(lambda: bridge.bytes_held == 0), "nothing is kept of what is refused"
        connection.sendall(body[:1])
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 2\r\n" in answer


def test_what_the_door_refuses_is_among_the_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    monkeypatch.setattr("config.bridge.metrics.refused", counted.append)

    with served(Bridge(Recorder(), bounds=SMALL)) as port:
        ask(port, "/pages/", body=b"x" * 101)
        ask(port, "/webhooks/", body=b"x" * 1001)  # its own view counts that

    assert counted == ["too_large"]
