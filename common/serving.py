"""What `manage.py serve` and `manage.py web` run, when it counts as up, and what a newcomer is told."""

import http.client
import io
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.db import Error, connections

from common import fleet, metrics, preflight, preparing
from common.supervisor import Program, Supervisor

PATIENCE = 30.0  # seconds to become healthy
SETTINGS = ("BURNLINE_DATA_DIR", "BURNLINE_HOST", "BURNLINE_PORT", "BURNLINE_PUBLIC_URL", "DATABASE_URL")


@dataclass(frozen=True)
class Beside:
    """What else runs, and what is said in the place of how a newcomer begins."""

    programs: Sequence[Program] = ()
    greeting: Sequence[str] = ()


def serve(beside: Callable[[], Beside] = Beside) -> None:
    """Set up; run web, engine and (with REDIS_URL) a worker until told to stop; say how to begin once it is healthy.
    `beside` is asked for more once the database is ready."""
    with _listener() as listener:
        preparing.prepare()
        metrics.wipe(settings.ENV.data_dir / "metrics")
        more = beside()
        made = _bootstrap()
        how_to_begin = more.greeting or _how_to_begin(made)
        connections.close_all()
        web = fleet.programs(listener.fileno(), settings.ENV.web_workers)
        with Supervisor([*web, *_engine(), *_worker(), *more.programs]) as supervisor:
            health = _Health(listener)
            healthy = supervisor.watch(until=health.is_good, seconds=PATIENCE)
            if healthy:
                print("\n".join(["", f"Burnline runs at      {made['url']}", *how_to_begin, ""]), flush=True)
            elif _is_new(made):
                # They are shown this once, so however the start went.
                print("\n".join(["", *how_to_begin, ""]), flush=True)
            if not healthy and not supervisor.asked_to_stop:
                raise preflight.Refusal(f"not healthy after {PATIENCE:.0f} s: {health.fault}. More is said above.")
            supervisor.watch()
    print("burnline: stopped; the data is kept", flush=True)


def serve_web() -> None:
    """Only the web processes, for where the engine runs apart. Migrates before it begins."""
    with _listener() as listener:
        preparing.prepare()
        metrics.wipe(settings.ENV.data_dir / "metrics")
        connections.close_all()
        sys.stdout.flush()
        env = settings.ENV
        fleet.become(listener, workers=env.web_workers, log_level=env.log_level, log_format=env.log_format)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Faults that an operator can mend end the process with one line, not with a traceback."""
    try:
        yield
    except preflight.Refusal as refusal:
        sys.exit(f"burnline: {refusal}")
    except Error as exc:
        reason = str(exc).strip().partition("\n")[0]
        sys.exit(f"burnline: the database refuses: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)


def _listener() -> socket.socket:
    env = settings.ENV
    preflight.check_data_folder(str(env.data_dir))
    return preflight.listen(env.host, str(env.port))


def _engine() -> list[Program]:
    return [Program("engine", [sys.executable, "manage.py", "engine"])]


def _worker() -> list[Program]:
    return [Program("worker", worker_command())] if settings.ENV.redis_url else []


def worker_command() -> list[str]:
    """Celery's worker; config/celery.py says of what kind."""
    # Its warning about root is about pickles, and it is sent JSON only.
    python = [sys.executable, "-W", "ignore:You're running the worker"]
    quiet = "--without-gossip --without-mingle --without-heartbeat -l WARNING"
    return [*python, "-m", "celery", *f"-q -A config.celery worker {quiet}".split()]


def _bootstrap() -> dict[str, Any]:
    answer = io.StringIO()
    call_command("bootstrap", "--json", stdout=answer)
    made: dict[str, Any] = json.loads(answer.getvalue())
    return made


@dataclass
class _Health:
    """What /readyz says."""

    listener: socket.socket
    fault: str = field(default="it does not answer", init=False)

    def is_good(self) -> bool:
        host, port = self.listener.getsockname()[:2]
        connection = http.client.HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=2)
        try:
            connection.request("GET", "/readyz", headers={"Host": urlsplit(settings.ENV.public_url).netloc})
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            self.fault = f"it does not answer ({exc})"
            return False
        finally:
            connection.close()
        if answer.status == 503:
            self.fault = "; ".join(json.loads(body)["reasons"])
        elif answer.status != 200:
            self.fault = f"/readyz answers {answer.status}"
        return answer.status == 200


def _is_new(made: dict[str, Any]) -> bool:
    return any((made["admin"]["password"], made["webhook"]["token"], made["api_token"]))


def _how_to_begin(made: dict[str, Any]) -> list[str]:
    """What a person needs, in the lines of a terminal."""
    lines = []
    if made["admin"]["password"]:
        lines.append(f"Sign in as            {made['admin']['email']}")
        lines.append(f"with the password     {made['admin']['password']}")
    if made["api_token"]:
        lines.append(f"API token             {made['api_token']}")
    lines.append(f"Alertmanager posts to {made['webhook']['url']}")
    if made["webhook"]["token"]:
        lines += ["", "A receiver for alertmanager.yml, to paste as it is:", "", made["receiver_yaml"].strip(), ""]
    if _is_new(made):
        lines.append("Passwords and tokens are shown this once; keep them.")
    else:
        lines.append("Passwords and tokens were shown when they were made. New tokens, or a new password:")
        lines.append(f"    {_python()} manage.py bootstrap --rotate")
        lines.append(f"    {_python()} manage.py changepassword {made['admin']['email']}")
        if given := [name for name in SETTINGS if os.environ.get(name)]:
            lines.append(f"(with the same {', '.join(given)} in the environment)")
    return [*lines, f"The data is kept in {_where_the_data_is()}. Ctrl-C stops everything."]


def _python() -> str:
    return os.path.relpath(sys.executable) if sys.executable.startswith(os.getcwd() + os.sep) else sys.executable


def _where_the_data_is() -> str:
    database: dict[str, Any] = settings.DATABASES["default"]
    if "sqlite" in database["ENGINE"]:
        return str(settings.ENV.data_dir)
    return f"PostgreSQL ({database['HOST'] or 'local'}, {database['NAME']}) and {settings.ENV.data_dir}"
