"""Which integration sends a webhook, for the count of what each holds of the memory for bodies."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from wsgiref.types import WSGIEnvironment

from django.db import DatabaseError, InterfaceError, connection

from alerts import integrations

logger = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds for an answer: less than the body may take, as who sends it is not to blame

_pool = ThreadPoolExecutor(1, thread_name_prefix="senders")


def remembered(environ: WSGIEnvironment) -> int | None:
    """The integration that this process knows without asking."""
    integration = integrations.remembered(environ.get("HTTP_AUTHORIZATION", ""))
    return None if integration is None else integration.pk


async def asked(environ: WSGIEnvironment) -> int | None:
    """The integration; None also where the database does not say in time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            return await loop.run_in_executor(_pool, _from_database, environ.get("HTTP_AUTHORIZATION", ""))
    except TimeoutError:
        return None


def _from_database(header: str) -> int | None:
    try:
        integration = integrations.by_authorization(header)
    except (DatabaseError, InterfaceError) as exc:
        logger.warning("Nobody could say who sends a large delivery: %s", type(exc).__name__)
        return None
    finally:
        connection.close()  # it is seldom asked
    return None if integration is None else integration.pk
