"""What a line of the log looks like, whoever writes it: we, Django, uvicorn or Celery.

JSON with the names of the Elastic Common Schema where machines read, a short line on a terminal. What is bound with
`about` (or structlog.contextvars) is in every line written meanwhile. What looks like a secret is not in any.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.stdlib import ProcessorFormatter

from common.text import storable_json

ECS: Final = "8.11.0"
LONGEST_MESSAGE = 8_000  # characters
LONGEST_TRACE = 32_000
_LARGEST = 2**63  # of whole numbers, the first that a reader of JSON need not take

Event = MutableMapping[str, Any]

# Whose lines say what ours say better, or repeat addresses that are secrets.
_QUIETER = {"celery": "WARNING", "kombu": "WARNING", "httpx": "WARNING", "httpcore": "WARNING"}

_SECRETS = re.compile(
    r"(?P<scheme>\b(?:bearer|basic)\s+)[^\s\"',;]+"
    r"|(?P<ours>\bbl[ti]_)[\w-]{8,}"
    r"|(?P<sealed>\bwhsec_)[\w+/=-]+"
    r"|(?P<link>/(?:answer|link)/)[^\s\"'<>?#]+"
    r"|(?P<origin>\b\w+://)(?:[^\s/@\"'<>]*@)?(?P<host>[^\s/\"'<>?#@]*)(?P<rest>[/?#][^\s\"'<>]*)?"
    r"|(?P<name>[?&;](?:\w*(?:token|key|secret|password|code|signature))=)[^&\s\"'<>]+",
    re.IGNORECASE,
)
_MARKS = (
    "bearer",
    "basic",
    "blt_",
    "bli_",
    "whsec_",
    "/answer/",
    "/link/",
    "://",
    "=",
)  # one of which each of these has
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")  # to some readers; JSON itself lets them stand
_CONTROL = {code: repr(chr(code))[1:-1] for code in [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]}


def configuration(*, level: str, form: str) -> dict[str, Any]:
    """Django's LOGGING. `form`: json, text, or auto, which is text where stderr is a terminal."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": text_lines if as_text else json_lines}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "filters": {"failures": {"()": lambda: _is_failure}},
        "loggers": {
            **({} if level == "DEBUG" else {name: {"level": least} for name, least in _QUIETER.items()}),
            # Of each answer there is a line anyway.
            "django.request": {"filters": ["failures"]},
        },
    }


def about(**labels: object) -> AbstractContextManager[None]:
    """Within it, lines say what they are about: `with logs.about(incident=42):`."""
    return bound_contextvars(**{f"labels.{name}": value for name, value in labels.items()})


def json_lines() -> logging.Formatter:
    """One JSON document a line."""
    return _formatter(_as_json)


def text_lines() -> logging.Formatter:
    """One short line, and the trace of an error, indented, below it."""
    return _formatter(_as_text)


def without_secrets(text: str) -> str:
    """The text with "…" for tokens, passwords in URLs, and all that follows the host of one."""
    lower = text.lower()
    for mark in _MARKS:
        if mark in lower:
            return _SECRETS.sub(_hidden, text)
    return text


def _is_failure(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _formatter(render: Any) -> ProcessorFormatter:
    structlog.configure(
        processors=[
            merge_contextvars,
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return ProcessorFormatter(processors=[_in_ecs, render], foreign_pre_chain=[merge_contextvars])


def _in_ecs(logger: Any, method: str, event: Event) -> Event:
    """What is known of the line, under ECS's names: the first three first, as the schema asks."""
    record: logging.LogRecord = event.pop("_record")
    event.pop("_from_structlog")
    message = without_secrets(str(event.pop("event"))[:LONGEST_MESSAGE])
    exc_info = event.pop("exc_info", None)
    line: Event = {
        "@timestamp": _timestamp(record.created),
        "log.level": record.levelname.lower(),
        "message": message,
        "ecs.version": ECS,
        "log.logger": record.name,
        "service.name": "burnline",
        "process.pid": record.process or os.getpid(),
        **{name: _plain(value) for name, value in event.items()},
    }
    # What a line brings as `extra` is ours where its name is one of ECS: Django adds whole requests.
    line.update((name, _plain(value)) for name, value in record.__dict__.items() if "." in name)
    if exc_info:
        line.update(_error(sys.exc_info() if exc_info is True else exc_info))
    return line


def _error(exc_info: Any) -> Mapping[str, str]:
    error = exc_info if isinstance(exc_info, BaseException) else exc_info[1]
    if error is None:
        return {}
    trace = "".join(traceback.format_exception(error))
    return {
        "error.type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins."),
        "error.message": without_secrets(str(error)[:LONGEST_MESSAGE]),
        "error.stack_trace": without_secrets(trace[-LONGEST_TRACE:]),
    }


def _plain(value: object) -> object:
    if value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < _LARGEST):
        return value
    return without_secrets(str(value)[:LONGEST_MESSAGE])


def _timestamp(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_json(logger: Any, method: str, event: Event) -> str:
    try:
        line = orjson.dumps(event).decode()
    except TypeError:  # a lone surrogate
        line = orjson.dumps(storable_json(dict(event))).decode()
    return line if line.isascii() else _LINE_ENDS.sub(lambda end: f"\\u{ord(end[0]):04x}", line)


def _as_text(logger: Any, method: str, event: Event) -> str:
    clock = datetime.fromisoformat(event["@timestamp"]).astimezone().strftime("%H:%M:%S")
    known = {"request": event.get("http.request.id")}
    known |= {name.removeprefix("labels."): value for name, value in event.items() if name.startswith("labels.")}
    context = " ".join(f"{name}={value}" for name, value in known.items() if value is not None)
    head = f"{clock} {event['log.level'].upper():7} {event['log.logger']}: {event['message']}"
    lines = [head + (f"  [{context}]" if context else "")]
    lines += [f"    {line}" for line in event.get("error.stack_trace", "").splitlines()]
    # Nothing that came from outside begins a line, or moves the terminal's cursor.
    return "\n".join(line.translate(_CONTROL) for line in lines).encode("utf-8", "replace").decode()


def _hidden(match: re.Match[str]) -> str:
    if match["origin"]:
        rest = match["rest"] or ""
        return f"{match['origin']}{match['host']}{rest if rest in ('', '/') else '/…'}"
    return "".join(filter(None, (match["scheme"], match["ours"], match["sealed"], match["link"], match["name"]))) + "…"
