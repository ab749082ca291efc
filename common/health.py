"""What operators and load balancers ask: does the process live, is it ready, what are its figures."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils import timezone

from common import engine, problems

_migrated = False  # once this process has seen every migration applied, it need not look again


def livez(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """200, or 503 with the reasons: no writes to the database, migrations missing, an engine that does not tick."""
    reasons = list(_reasons())
    return JsonResponse({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)


def metrics(request: HttpRequest) -> HttpResponseBase:
    """Prometheus text, for who knows the metrics token. Without one set, it is off."""
    expected = settings.ENV.metrics_token
    _, _, given = request.headers.get("Authorization", "").partition(" ")
    if not expected or not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
        return problems.response(401, "unauthenticated", "The metrics need their token (BURNLINE_METRICS_TOKEN).")
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _reasons() -> list[str]:
    global _migrated
    reasons = []
    try:
        engine.prove_writable()
        if not _migrated:
            executor = MigrationExecutor(connection)
            _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        if not _migrated:
            reasons.append("migrations are missing: run manage.py migrate")
        elif not engine.is_fresh(timezone.now()):
            reasons.append("the engine has not ticked for 15 seconds")
    except DatabaseError as exc:
        reasons.append(f"the database takes no writes: {type(exc).__name__}")
    return reasons
