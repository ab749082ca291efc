"""Due work: rows that say what happens later, and how one of them is carried out once, by whoever lives to do it.

A row is taken by compare-and-set and belongs to its `claim` until its lease ends; while it is worked on, the lease is
renewed. It is finished only by the claim that still owns it, in the transaction of its effects: so a process that dies
or stalls loses nothing, and what it had not written down is done again by another. The database's clock rules.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Self, TypeVar, cast

from django.apps import apps
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    close_old_connections,
    connection,
    models,
    transaction,
)
from django.db.models import Case, F, Q, When
from django.db.models.functions import Least, Now
from django.utils.translation import gettext_lazy as _lazy

from common import logs, metrics
from common.text import shortened, storable

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)  # how long a row stays with who took it, unless renewed
RENEW = 2.5  # seconds between two renewals
LONGEST = 900.0  # seconds for which a lease is renewed: what takes longer hangs, and another may try
HAND_OVER = timedelta(seconds=5)  # in which a worker has to begin what was handed to it
FIRST_PAUSE = timedelta(seconds=2)  # before what failed is tried again; doubled each time,
LONGEST_PAUSE = timedelta(minutes=5)  # up to this


class LeaseLost(Exception):
    """The row belongs to another by now. Whatever is not written yet is the other's to write."""


class DueWorkQuerySet(models.QuerySet["Any"]):
    def claimable(self) -> Self:
        """Due, and with nobody whose lease still runs."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), state="waiting", due_at__lte=Now())

    def owned(self, row: DueWork) -> Self:
        """The row itself as long as it belongs to the claim under which it was begun."""
        return self.filter(pk=row.pk, claim=row.claim, state="waiting")

    def cancel(self) -> int:
        """What of these waits shall not happen any more, also if somebody is at it: it will find that it lost its
        lease. Gives how many that were."""
        return self.filter(state="waiting").update(
            state="cancelled", finished_at=Now(), claim="", lease_until=None, begun_at=None
        )


class DueWork(models.Model):
    """Something that is to happen at `due_at` or soon after.

    `TASK` names the Celery task that carries a row out, `f(pk, claim)`; its one line is a call of `carry_out`. Of the
    rows of one `lane`, an engine has at most LANE_LIMIT in hand at once, so that one slow destination leaves room for
    the others. What was begun MAX_ATTEMPTS times without an orderly end is quarantined, for an admin to look at. What
    is done or cancelled is deleted after KEEP, or kept if that is None.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _lazy("Waiting")
        DONE = "done", _lazy("Done")
        QUARANTINED = "quarantined", _lazy("Quarantined")
        CANCELLED = "cancelled", _lazy("Cancelled")

    TASK: ClassVar[str]
    LANE_LIMIT: ClassVar[int] = 8
    MAX_ATTEMPTS: ClassVar[int] = 5
    KEEP: ClassVar[timedelta | None] = None

    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField()
    lane = models.CharField(max_length=200, blank=True)
    claim = models.CharField(max_length=32, blank=True)  # whose it is
    lease_until = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True)  # by its claim; null: taken, but not begun
    hand_overs = models.PositiveSmallIntegerField(default=0)  # how often it was taken since somebody last began it
    attempts = models.PositiveSmallIntegerField(default=0)  # how often it was begun since it last ended in order
    fault = models.TextField(blank=True)  # why it last failed
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    is_ended = False  # whether it was let go in order, by who holds this object

    objects: ClassVar = DueWorkQuerySet.as_manager()

    class Meta:
        abstract = True
        indexes: ClassVar = [
            # what is due next, and the count and age of what waits
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="%(class)s_due"),
            # what an admin has to look at
            models.Index(fields=["finished_at"], condition=Q(state="quarantined"), name="%(class)s_stuck"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.label} {self.pk}"


Work = TypeVar("Work", bound=DueWork)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that was taken, and under which claim. `is_late`: it was handed over before, and nobody began it."""

    model: type[DueWork]
    pk: Any
    claim: str
    lane: str
    is_late: bool


def kinds() -> list[type[DueWork]]:
    """Every kind of due work that there is."""
    return [model for model in apps.get_models() if issubclass(model, DueWork) and not model._meta.proxy]


# Taking


def take(
    model: type[DueWork],
    room: int,
    in_hand: Mapping[str, int],
    lease: timedelta = LEASE,
    *,
    only_late: bool | None = None,
    lane_limit: int | None = None,
) -> list[Claimed]:
    """Take up to `room` rows that are due, the longest due first; of no lane more than its limit, `in_hand` included.
    `lane_limit` may be a lower one than the kind's own.

    Where nothing is due, one statement without a lock. What was begun too often is quarantined instead of taken.
    `only_late` chooses between what was handed over before and never begun (True), and all else (False).
    """
    hands = Counter(in_hand)
    limit = min(model.LANE_LIMIT, lane_limit or model.LANE_LIMIT)
    taken: list[Claimed] = []
    while len(taken) < room:
        full = [lane for lane, count in hands.items() if count >= limit]
        due = model.objects.claimable().exclude(lane__in=full).order_by("due_at", "pk")
        if only_late is not None:
            due = due.filter(hand_overs__gt=0) if only_late else due.filter(hand_overs=0)
        found = list(due.values_list("pk", "lane", "attempts", "hand_overs")[: room - len(taken)])
        wanted: dict[Any, tuple[str, bool]] = {}
        worn_out = []
        for pk, lane, attempts, hand_overs in found:
            if attempts >= model.MAX_ATTEMPTS:
                worn_out.append(pk)
            elif hands[lane] < limit:
                hands[lane] += 1
                wanted[pk] = (lane, hand_overs > 0)
        if worn_out:
            _give_up(model, worn_out)
        taken += _claim(model, wanted, lease)
        if not wanted and not worn_out:
            break
    return taken


def _claim(model: type[DueWork], wanted: Mapping[Any, tuple[str, bool]], lease: timedelta) -> list[Claimed]:
    """Those of the wanted rows that nobody else has taken meanwhile. The UPDATE is the guard, SKIP LOCKED is speed."""
    if not wanted:
        return []
    claim = uuid.uuid4().hex
    with transaction.atomic():
        free: Collection[Any] = list(wanted)
        if connection.features.has_select_for_update_skip_locked:
            rows = model.objects.claimable().filter(pk__in=free).select_for_update(skip_locked=True)
            free = list(rows.values_list("pk", flat=True))
        model.objects.claimable().filter(pk__in=free).update(
            claim=claim,
            lease_until=Now() + lease,
            begun_at=None,
            hand_overs=Least(F("hand_overs") + 1, 1000),  # it has to fit, also where nobody begins anything for days
        )
        mine = list(
            model.objects.filter(pk__in=wanted, claim=claim).order_by("due_at", "pk").values_list("pk", flat=True)
        )
    return [Claimed(model, pk, claim, *wanted[pk]) for pk in mine]


def still_held(pieces: Collection[Claimed]) -> dict[Claimed, bool]:
    """Those of the pieces that still belong to their claims, and whether each was begun. The rest has ended, or went to
    somebody else, or may. One statement for each kind."""
    held: dict[Claimed, bool] = {}
    for model, its in _by_model(pieces).items():
        rows = model.objects.filter(
            pk__in=[piece.pk for piece in its],
            claim__in={piece.claim for piece in its},
            state=DueWork.State.WAITING,
            lease_until__gte=Now(),
        )
        begun = {(pk, claim): at is not None for pk, claim, at in rows.values_list("pk", "claim", "begun_at")}
        held |= {piece: begun[piece.pk, piece.claim] for piece in its if (piece.pk, piece.claim) in begun}
    return held


def give_back(pieces: Collection[Claimed]) -> None:
    """Let others have these at once, as if they had not been taken: who has them ends now."""
    for model, its in _by_model(pieces).items():
        for claim in {piece.claim for piece in its}:
            mine = model.objects.filter(pk__in=[piece.pk for piece in its if piece.claim == claim], claim=claim)
            mine.filter(state=DueWork.State.WAITING).update(
                claim="",
                lease_until=None,
                begun_at=None,
                hand_overs=0,
                attempts=Case(When(begun_at=None, then=F("attempts")), default=F("attempts") - 1),
            )


def _by_model(pieces: Collection[Claimed]) -> dict[type[DueWork], list[Claimed]]:
    found: dict[type[DueWork], list[Claimed]] = defaultdict(list)
    for piece in pieces:
        found[piece.model].append(piece)
    return found


def _give_up(model: type[DueWork], pks: list[Any]) -> None:
    worn_out = model.objects.claimable().filter(pk__in=pks, attempts__gte=model.MAX_ATTEMPTS)
    given_up = worn_out.update(
        state=DueWork.State.QUARANTINED,
        finished_at=Now(),
        claim="",
        lease_until=None,
        fault=f"Begun {model.MAX_ATTEMPTS} times, and each time whoever did it died.",
    )
    if given_up:
        logger.error("%d of %s quarantined: each killed who carried it out.", given_up, model._meta.label)


# Carrying out


def carry_out(model: type[Work], pk: Any, claim: str, do: Callable[[Work], None]) -> None:
    """Begin the row and do it, unless it belongs to another by now. `do` either ends it itself (`finishing`,
    `postpone`), or it counts as done when `do` returns. What `do` raises is a failure of this attempt."""
    _look_after_connections()
    try:
        row = begin(model, pk, claim)
        if row is not None:
            assert row.begun_at
            kind, lateness = model._meta.label_lower, row.begun_at - row.due_at
            with _keeper.renewing(row), logs.about(work=kind, work_id=pk):
                outcome = _do(row, do)
            metrics.work_done(kind, outcome, lateness.total_seconds())
    except (DatabaseError, InterfaceError) as exc:
        # Its lease ends, and somebody does it again.
        logger.warning("%s %s: the database went away: %s", model._meta.label, pk, str(exc).strip().partition("\n")[0])
        connection.close()
    finally:
        _look_after_connections()


def _look_after_connections() -> None:
    """As Django does it before and after each request: close what is old, or broken by a restart of the database."""
    if not connection.in_atomic_block:
        close_old_connections()


def _do(row: Work, do: Callable[[Work], None]) -> str:
    """How it went: ended (done, or put off), failed, or lost to another."""
    try:
        do(row)
        if not row.is_ended:
            with finishing(row):
                pass
    except LeaseLost:
        logger.warning("%s was taken over by another while it was carried out.", row)
        return "lost"
    except Exception as exc:  # whatever it is: it must not end the others' work
        logger.warning("%s failed.", row, exc_info=True)
        fail(row, f"{type(exc).__name__}: {exc}")
        return "failed"
    return "ended"


def begin(model: type[Work], pk: Any, claim: str) -> Work | None:
    """The row, counted as begun; None if the claim no longer owns it, or it was begun already."""
    begun = model.objects.filter(pk=pk, claim=claim, state=DueWork.State.WAITING, begun_at=None).update(
        begun_at=Now(), lease_until=Now() + LEASE, attempts=F("attempts") + 1, hand_overs=0
    )
    return cast("Work | None", model.objects.filter(pk=pk, claim=claim).first()) if begun else None


@contextmanager
def finishing(row: DueWork) -> Iterator[None]:
    """A transaction in which the row is done, and its effects are written. Raises LeaseLost, and nothing is kept, where
    the row belongs to another by now."""
    with transaction.atomic():
        _release(row, state=DueWork.State.DONE, finished_at=Now(), fault="")
        yield
    row.is_ended = True


def postpone(row: DueWork, wait: timedelta, **changes: Any) -> None:
    """It is not time yet: do it again after `wait`. This is no failure."""
    _release(row, due_at=Now() + wait, attempts=0, begun_at=None, **changes)
    row.is_ended = True


def fail(row: DueWork, fault: str) -> None:
    """This attempt failed: do it again after a pause that grows, or quarantine it. Nothing where the row is lost."""
    fault = shortened(storable(fault), 2000)
    still_mine = type(row).objects.owned(row)
    if row.attempts >= row.MAX_ATTEMPTS:
        still_mine.update(state=DueWork.State.QUARANTINED, finished_at=Now(), claim="", lease_until=None, fault=fault)
        logger.error("%s is quarantined after %d attempts: %s", row, row.attempts, fault)
        return
    still_mine.update(due_at=Now() + pause(row.attempts), claim="", lease_until=None, begun_at=None, fault=fault)


def pause(attempts: int) -> timedelta:
    """How long to wait after so many failures: doubled each time, between half and one and a half of that."""
    longest = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 20), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.5)  # it only spreads the load


def retry(row: DueWork) -> bool:
    """Give what was quarantined another row of attempts, from now. False when somebody did so before, or when another
    row waits that a constraint lets wait alone: that one stands for it, and it is cancelled."""
    quarantined = type(row).objects.filter(pk=row.pk, state=DueWork.State.QUARANTINED)
    try:
        with transaction.atomic():
            again = quarantined.update(
                state=DueWork.State.WAITING, due_at=Now(), attempts=0, hand_overs=0, begun_at=None, finished_at=None
            )
    except IntegrityError:
        quarantined.update(state=DueWork.State.CANCELLED)
        return False
    return bool(again)


def _release(row: DueWork, **changes: Any) -> None:
    """Let go of the row, changed, if it is still ours."""
    if not type(row).objects.owned(row).update(claim="", lease_until=None, **changes):
        raise LeaseLost(str(row))


class _Keeper:
    """Renews the leases of what this process works on, all of them at once, in a thread of its own."""

    def __init__(self) -> None:
        self._begun: dict[Claimed, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def renewing(self, row: DueWork) -> Iterator[None]:
        piece = Claimed(type(row), row.pk, row.claim, row.lane, is_late=False)
        with self._lock:
            self._begun[piece] = time.monotonic()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._begun[piece]

    def _run(self) -> None:
        while True:
            time.sleep(RENEW)
            now = time.monotonic()
            with self._lock:
                # A lease lasts several times as long: what was just begun can wait for the next round.
                old = [piece for piece, begun in self._begun.items() if RENEW <= now - begun < LONGEST]
            try:
                for model, its in _by_model(old).items():
                    _renew(model, its)
            except (DatabaseError, InterfaceError) as exc:
                logger.warning("Leases could not be renewed: %s", str(exc).strip().partition("\n")[0])
                connection.close()
            if not old:
                connection.close()


def _renew(model: type[DueWork], pieces: Collection[Claimed]) -> None:
    """Leave out what is just being ended: its row is locked, so that nobody takes it, and to wait for it would let the
    leases of all others run out."""
    mine = model.objects.filter(pk__in=[piece.pk for piece in pieces], state=DueWork.State.WAITING)
    with transaction.atomic():
        free = mine.filter(claim__in={piece.claim for piece in pieces}).select_for_update(skip_locked=True)
        model.objects.filter(pk__in=free.values("pk")).update(lease_until=Now() + LEASE)


_keeper = _Keeper()
