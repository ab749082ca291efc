"""The bells: who has committed something new rings one, and who watches for such looks at once instead of in a second.

They ring through Redis where there is one. Nothing depends on it: a ring that is lost costs its listeners a second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)

ENTRIES = "burnline:entries"  # something was written on a timeline
WORK = "burnline:work"  # something is due at once
TIMEOUT = 0.5  # seconds that Redis has for anything
PAUSE = 5.0  # seconds without trying, after it did not answer


def after_commit(bell: str) -> None:
    """Ring this bell once the present transaction is committed; not if it is rolled back, nor without a Redis. Costs
    the caller neither a statement nor a wait."""
    if settings.ENV.redis_url:
        transaction.on_commit(lambda: _ringer.ring(bell), robust=True)


class Bell:
    """Calls `heard` soon after each ring, from a thread of its own, until it is closed. Silent without a Redis."""

    def __init__(self, name: str, heard: Callable[[], None]) -> None:
        self._name = name
        self._heard = heard
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        if settings.ENV.redis_url:
            self._thread = threading.Thread(target=self._listen, name="bell", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop listening; the thread ends within TIMEOUT or so."""
        self._closed.set()

    def _listen(self) -> None:
        import redis

        while not self._closed.is_set():
            try:
                with _client() as client, client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    pubsub.subscribe(self._name)
                    while not self._closed.is_set():
                        if pubsub.get_message(timeout=TIMEOUT / 2) is not None:
                            self._heard()
            except (redis.RedisError, OSError) as exc:
                logger.debug("nobody rings: %s", exc)
                self._closed.wait(PAUSE)


class _Ringer:
    """Publishes from a thread of its own; rings that come while one is under way are one."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def ring(self, bell: str) -> None:
        with self._changed:
            self._asked.add(bell)
            self._changed.notify()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._publish, name="ringer", daemon=True)
                self._thread.start()

    def _publish(self) -> None:
        import redis

        client = _client()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._asked)
                bells, self._asked = self._asked, set()
            try:
                for bell in bells:
                    client.publish(bell, b"")
            except (redis.RedisError, OSError) as exc:
                logger.debug("cannot ring: %s", exc)
                client.close()
                time.sleep(PAUSE)


def _client() -> Any:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(
        settings.ENV.redis_url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
    )


_ringer = _Ringer()
