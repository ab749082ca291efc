"""The short way in for webhooks under uvicorn: what is well is answered on the event loop, after the commit that it
shares with others. No thread waits for it. Everything else goes the long way, through Django, which knows what to
say."""

from __future__ import annotations

import logging
import time
from wsgiref.types import WSGIEnvironment

from alerts import group_commit, ingest, integrations, payload
from alerts.middleware import PATHS
from common import metrics, request_log
from common.headers import SECURITY_HEADERS
from config import messages
from config.messages import Answer

logger = logging.getLogger(__name__)

LONGEST = 512 * 1024  # bytes of a body that is read here: a few milliseconds

_HEADERS = [
    (name.lower().encode(), value.encode())
    for name, value in {**SECURITY_HEADERS, "Content-Type": "application/json"}.items()
]


async def take(environ: WSGIEnvironment, body: bytes) -> Answer | None:
    """The answer to a delivery whose sender is known and whose body can be read; None to everything else."""
    began = time.perf_counter_ns()
    if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] not in PATHS or len(body) > LONGEST:
        return None
    integration = integrations.remembered(environ.get("HTTP_AUTHORIZATION", ""))
    if integration is None:
        return None
    try:
        parcel = ingest.understand(integration, body)
    except payload.BadPayload:
        return None
    if not isinstance(parcel, ingest.Parcel):
        return None
    request_id = request_log.begin(environ)
    try:
        receipt = await group_commit.take(parcel)
    except group_commit.Crowded:
        metrics.refused("crowded")
        return messages.refusal("no_room")
    except Exception as exc:
        logger.warning("A delivery of %s is taken in once more, by itself: %s", integration.slug, type(exc).__name__)
        return None
    took = time.perf_counter_ns() - began
    metrics.ingested(metrics.Delivery(integration.slug, receipt.counts["received"], receipt.status), took / 1e9)
    request_log.tell(environ, receipt.status, took)
    document = receipt.document()
    headers = [*_HEADERS, (b"x-request-id", request_id.encode()), (b"content-length", str(len(document)).encode())]
    return Answer(
        {"type": "http.response.start", "status": receipt.status, "headers": headers, "trailers": False}, document
    )
