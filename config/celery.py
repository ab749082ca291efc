"""Celery, the muscle: it carries out what rows in the database ask for, and Redis holds nothing that matters.

Imported where work is handed over or done, never by a web process at its start. The schedule of all recurring work has
its place on this page, and is read by the engine: there is no beat process.
"""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("burnline", broker=settings.ENV.redis_url or None, set_as_current=True)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,  # there is no result backend: the row says how it went
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_publish_retry=False,  # the engine does the work itself where Redis cannot be reached
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"socket_connect_timeout": 1, "socket_timeout": 5},
    timezone="UTC",
)
app.autodiscover_tasks()
