"""Recurring work: once in each slot, however many engines there are and however long they were away."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from django.utils.module_loading import import_string

from common import schedule, work
from common.models import ScheduledRun
from common.schedule import Job, Timetable
from tests.make import NOW

ROOT = Path(__file__).parent.parent.parent
EVERY = timedelta(minutes=10)
JOB = Job("sweep", "tests.common.test_schedule.sweep", EVERY)

swept: list[datetime] = []
Queries = Callable[[int], Any]


def sweep(*, now: datetime) -> None:
    swept.append(now)


@pytest.fixture(autouse=True)
def _one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    swept.clear()
    monkeypatch.setattr(schedule, "jobs", lambda: {JOB.name: JOB})


def run_what_is_due() -> None:
    for piece in work.take(ScheduledRun, 32, {}):
        work.carry_out(ScheduledRun, piece.pk, piece.claim, schedule.run)


def test_a_slot_begins_at_a_multiple_of_its_length() -> None:
    assert JOB.slot(NOW + timedelta(minutes=9)) == JOB.slot(NOW) == NOW
    assert JOB.slot(NOW + EVERY) == NOW + EVERY


@pytest.mark.django_db
def test_what_has_nothing_to_do_is_not_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [False, True]
    job = Job("sweep", JOB.function, timedelta(seconds=1), when="tests.common.test_schedule.is_wanted")
    monkeypatch.setattr("tests.common.test_schedule.is_wanted", lambda now: answers.pop(0), raising=False)
    monkeypatch.setattr(schedule, "jobs", lambda: {job.name: job})
    timetable = Timetable()

    for _ in range(3):
        timetable.enter(now=NOW)
    assert not ScheduledRun.objects.exists()
    assert answers == [True], "asked once in a slot, however often the engine looks"
    timetable.enter(now=NOW + job.every)
    assert ScheduledRun.objects.get().slot == NOW + job.every


@pytest.mark.django_db
def test_any_number_of_engines_run_a_slot_once() -> None:
    for _ in range(3):
        Timetable().enter(now=NOW)
    run_what_is_due()
    Timetable().enter(now=NOW + timedelta(minutes=5))
    run_what_is_due()

    assert len(swept) == 1
    assert ScheduledRun.objects.get().slot == NOW


@pytest.mark.django_db
def test_an_engine_whose_clock_is_ahead_makes_nobody_wait() -> None:
    Timetable().enter(now=timezone.now() + timedelta(hours=1))
    run_what_is_due()

    assert len(swept) == 1


@pytest.mark.django_db
def test_what_was_missed_runs_once() -> None:
    timetable = Timetable()
    timetable.enter(now=NOW)
    run_what_is_due()

    timetable.enter(now=NOW + 20 * EVERY)
    run_what_is_due()

    assert len(swept) == 2
    assert list(ScheduledRun.objects.order_by("slot").values_list("slot", flat=True)) == [NOW, NOW + 20 * EVERY]


@pytest.mark.django_db
def test_a_job_is_not_begun_beside_an_earlier_run_of_itself() -> None:
    timetable = Timetable()
    timetable.enter(now=NOW)
    (piece,) = work.take(ScheduledRun, 32, {})
    work.begin(ScheduledRun, piece.pk, piece.claim)

    timetable.enter(now=NOW + EVERY)
    assert ScheduledRun.objects.count() == 1

    ScheduledRun.objects.update(state="done")
    timetable.enter(now=NOW + EVERY + timedelta(minutes=1))
    assert ScheduledRun.objects.filter(slot=NOW + EVERY, state="waiting").count() == 1


@pytest.mark.django_db
def test_two_engines_that_look_at_once_write_one_row() -> None:
    """The second did not see the first one's row when it looked: the constraints decide."""
    ScheduledRun.objects.create(job="sweep", slot=NOW, due_at=NOW)

    ScheduledRun.objects.bulk_create([ScheduledRun(job="sweep", slot=NOW, due_at=NOW)], ignore_conflicts=True)
    ScheduledRun.objects.bulk_create([ScheduledRun(job="sweep", slot=NOW + EVERY, due_at=NOW)], ignore_conflicts=True)

    assert ScheduledRun.objects.count() == 1


@pytest.mark.django_db
def test_what_is_entered_costs_no_further_statement(django_assert_num_queries: Queries) -> None:
    timetable = Timetable()
    timetable.enter(now=NOW)
    timetable.enter(now=NOW)

    with django_assert_num_queries(0):
        timetable.enter(now=NOW + timedelta(minutes=9))


@pytest.mark.django_db
def test_a_job_that_fails_is_tried_again_as_all_due_work(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Job("sweep", "tests.common.test_schedule.there_is_no_such_function", EVERY)
    monkeypatch.setattr(schedule, "jobs", lambda: {broken.name: broken})
    Timetable().enter(now=NOW)

    run_what_is_due()

    row = ScheduledRun.objects.get()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.due_at > timezone.now()
    assert "there_is_no_such_function" in row.fault


@pytest.mark.django_db
@pytest.mark.parametrize("job", ["no longer there", "tests.common.test_schedule.sweep"])
def test_only_what_the_schedule_lists_is_run(job: str) -> None:
    ScheduledRun.objects.create(job=job, slot=NOW, due_at=NOW)

    run_what_is_due()

    assert swept == []
    assert ScheduledRun.objects.get().state == "done"


@pytest.mark.django_db
def test_what_ended_long_ago_is_deleted_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "BATCH", 2)
    for n, (state, days) in enumerate(
        [("done", 8), ("done", 9), ("cancelled", 10), ("done", 6), ("quarantined", 30), ("waiting", 30)]
    ):
        at = None if state == "waiting" else NOW - timedelta(days=days)
        ScheduledRun.objects.create(job=f"{n}", slot=NOW, due_at=NOW, state=state, finished_at=at)

    schedule.clean_up(now=NOW)

    assert set(ScheduledRun.objects.values_list("job", flat=True)) == {"3", "4", "5"}


@pytest.mark.django_db
def test_a_kind_that_keeps_everything_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScheduledRun, "KEEP", None)
    ScheduledRun.objects.create(job="a", slot=NOW, due_at=NOW, state="done", finished_at=NOW - timedelta(days=999))

    schedule.clean_up(now=NOW)

    assert ScheduledRun.objects.count() == 1


def test_every_job_of_the_product_is_a_function_of_the_time() -> None:
    entries = import_string("config.celery.app").conf.beat_schedule

    assert entries
    for name, entry in entries.items():
        assert list(inspect.signature(import_string(entry["task"])).parameters) == ["now"], name
        assert isinstance(entry["schedule"], timedelta), name
        assert len(name) <= 100


def test_web_processes_do_without_celery() -> None:
    script = "import sys, config.asgi; sys.exit('celery' in sys.modules or 'kombu' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


@pytest.mark.django_db
def test_one_that_fails_keeps_none_of_the_others_from_its_turn() -> None:
    done = []

    def do(number: int) -> bool:
        if number == 2:
            raise ValueError("poison")
        done.append(number)
        return True

    with pytest.raises(ValueError, match="poison"):
        schedule.sweep([1, 2, 3], do)

    assert done == [1, 3]


@pytest.mark.django_db
def test_of_a_job_that_fails_again_and_again_one_run_is_left_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for minutes in (0, 10, 20):
        run = ScheduledRun.objects.create(job=JOB.name, slot=NOW + timedelta(minutes=minutes), due_at=NOW)
        ScheduledRun.objects.filter(pk=run.pk).update(state="quarantined", finished_at=NOW)

    def fails(*, now: datetime) -> None:
        raise ValueError("still")

    monkeypatch.setattr(schedule, "import_string", lambda path: fails)
    Timetable().enter(now=NOW + 3 * EVERY)
    run_what_is_due()
    given_up = ScheduledRun.objects.filter(state="quarantined")
    assert [run.slot for run in given_up] == [NOW + 2 * EVERY]

    monkeypatch.undo()
    monkeypatch.setattr(schedule, "jobs", lambda: {JOB.name: JOB})
    ScheduledRun.objects.filter(state="waiting").update(due_at=NOW)
    run_what_is_due()
    assert not given_up.all().exists()
