"""What operators and load balancers ask: does the process live, is it ready, what are its figures."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from common import backlog, engine, metrics, problems
from common.addresses import address_of, is_within

log = logging.getLogger(__name__)

LATE = timedelta(seconds=60)  # from here on, late work is worth a warning
REDIS_PATIENCE = 0.2  # seconds

_migrated = False  # once this process has seen every migration applied, it need not look again


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200, or 503 with the reasons: no writes to the database, migrations missing, an engine that does not tick.
    Warnings are worth a look, and no reason to send nobody here."""
    now = timezone.now()
    warnings = list(_redis_warnings())
    try:
        reasons = list(_reasons(now))
    except (DatabaseError, InterfaceError) as exc:
        log.warning("The database takes no writes: %s", str(exc).strip().partition("\n")[0])
        reasons = [f"the database takes no writes ({type(exc).__name__}); the log says more"]
    else:
        warnings += _backlog_warnings(now)
    answer = {"ready": not reasons, "reasons": reasons, "warnings": warnings}
    return JsonResponse(answer, status=503 if reasons else 200)


@require_safe
def expose_metrics(request: HttpRequest) -> HttpResponseBase:
    """Prometheus text, for who knows the metrics token or sits in an allowed network. With neither set, it is off."""
    if not (_knows_the_token(request) or is_within(address_of(request), settings.ENV.metrics_networks)):
        detail = "The metrics need their token (BURNLINE_METRICS_TOKEN), or an allowed network."
        return problems.response(401, "unauthenticated", detail)
    return HttpResponse(metrics.exposition(timezone.now()), content_type=metrics.CONTENT_TYPE)


_DOORS: dict[str, Callable[[HttpRequest], HttpResponseBase]] = {
    "/livez": livez,
    "/readyz": readyz,
    "/metrics": expose_metrics,
}


def straight_to_probes(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Answer operators here, before any other middleware: kubelet and Prometheus come to an address of the process,
    which is no host name of ours, and nothing that may break in the others is to break this."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _DOORS.get(request.path_info, get_response)(request)

    return answer


def _knows_the_token(request: HttpRequest) -> bool:
    expected = settings.ENV.metrics_token
    _, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(expected) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _reasons(now: datetime) -> Iterator[str]:
    global _migrated
    engine.prove_writable()
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not _migrated:
        yield "migrations are missing: run manage.py migrate"
        return
    last = engine.last_beat()
    if last is None:
        yield "the engine has never ticked: is manage.py engine running?"
    elif now - last > engine.FRESH:
        yield f"the engine has not ticked for {(now - last).total_seconds():.0f} seconds: is manage.py engine running?"


def _backlog_warnings(now: datetime) -> Iterator[str]:
    try:
        backlogs = backlog.of_all_kinds(now)
    except (DatabaseError, InterfaceError) as exc:
        log.warning("The due work could not be counted: %s", str(exc).strip().partition("\n")[0])
        yield f"the due work could not be counted ({type(exc).__name__}); the log says more"
        return
    for of_kind in backlogs:
        if of_kind.quarantined:
            yield f"{of_kind.kind}: {of_kind.quarantined} given up; an admin can look at them and try again"
        if of_kind.lateness(now) > LATE.total_seconds():
            yield f"{of_kind.kind}: {of_kind.due} due, the oldest for {of_kind.lateness(now):.0f} seconds"


def _redis_warnings() -> Iterator[str]:
    if not settings.ENV.redis_url:
        return
    import redis  # not at the start of a process that may never need it
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        with redis.Redis.from_url(
            settings.ENV.redis_url,
            socket_connect_timeout=REDIS_PATIENCE,
            socket_timeout=REDIS_PATIENCE,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            client.ping()
    except (redis.RedisError, OSError) as exc:
        yield f"Redis does not answer ({type(exc).__name__}); the engine does the work itself"
