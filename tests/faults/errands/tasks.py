"""What an errand does."""

import http.client
import os
import signal
from urllib.parse import urlsplit

from celery import shared_task

from common import work
from tests.faults.errands.models import Errand


@shared_task
def run(pk: int, claim: str) -> None:
    work.carry_out(Errand, pk, claim, _post)


def _post(errand: Errand) -> None:
    if errand.is_deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    if not errand.url:
        return
    parts = urlsplit(errand.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("POST", parts.path, headers={"webhook-id": errand.key})
        status = connection.getresponse().status
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise RuntimeError(f"HTTP {status}")
