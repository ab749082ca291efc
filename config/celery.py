"""Celery, the muscle: it carries out what rows in the database ask for, and Redis holds nothing that matters.

Imported where work is handed over or done, never by a web process at its start. The schedule of all recurring work has
its place on this page, and is read by the engine: there is no beat process.
"""

import os
import sys
from datetime import timedelta

from celery import Celery, signals
from django.conf import settings

from common import metrics

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
    worker_pool="threads",  # not processes: so that nothing of a worker outlives it, however it ends
    worker_concurrency=16,  # each has a connection to the database; what cannot be begun in time the engine does itself
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A message that nobody acknowledged comes again after the hour that is Redis' default here: its claim is long gone
    # by then, and it does nothing.
    broker_transport_options={"socket_connect_timeout": 1, "socket_timeout": 5},
    timezone="UTC",
)
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize  # work.carry_out looks after its connections, as Django's settings say
app.autodiscover_tasks()


@signals.setup_logging.connect
def _log_as_everybody_does(**_: object) -> None:
    """With somebody connected here, Celery leaves the handlers and levels as Django's LOGGING has them."""


@signals.worker_init.connect
def _count_with_the_others(**_: object) -> None:
    metrics.share(settings.ENV.data_dir / "metrics")


# Domain functions that take `now`, and how often each is called: once in such a span of time, by whoever is quickest;
# where another function is named, only when that one says that there is something to do.
app.conf.beat_schedule = {
    "tell of new incidents": {
        "task": "incidents.announcing.announce",
        "schedule": timedelta(seconds=1),
        "when": "incidents.announcing.is_due",
    },
    "clean up due work": {"task": "common.schedule.clean_up", "schedule": timedelta(hours=1)},
    "end graces of alerts": {"task": "alerts.grace.end", "schedule": timedelta(seconds=10)},
    "look for heartbeats": {"task": "alerts.heartbeats.look", "schedule": timedelta(seconds=10)},
    "look for what is not confirmed": {"task": "alerts.staleness.look", "schedule": timedelta(seconds=30)},
    "learn how often alerts are repeated": {"task": "alerts.staleness.learn", "schedule": timedelta(minutes=5)},
    "resolve quiet incidents": {"task": "incidents.quiet.resolve_quiet", "schedule": timedelta(seconds=10)},
    "remind of postmortems": {"task": "postmortems.reminders.remind", "schedule": timedelta(minutes=5)},
    "end stuck messages": {"task": "notifications.delivery.end_stuck", "schedule": timedelta(seconds=30)},
    "forget ended sessions": {"task": "people.sessions.forget_ended", "schedule": timedelta(hours=1)},
    "forget old attempts": {"task": "people.throttling.forget_over", "schedule": timedelta(hours=1)},
    "clean up deliveries": {"task": "alerts.retention.clean_up", "schedule": timedelta(minutes=10)},
}
