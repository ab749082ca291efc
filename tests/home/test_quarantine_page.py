"""What waits and what was given up, on a page for admins, and another try for it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from alerts import ingest
from alerts.models import Alert, Delivery, FanOut, Integration
from common import work
from common.models import ScheduledRun
from home import workload
from people.actors import person
from people.models import User
from tests import make
from tests.browsing import page, signed_in
from tests.due import run_all_due
from tests.make import NOW

pytestmark = pytest.mark.django_db
PATH = "/settings/work/"


@pytest.fixture
def source(db: None) -> Integration:
    return make.integration("Production EU")[0]


def large(source: Integration, count: int = 1) -> None:
    """Deliveries that wait to be taken in, each of another group."""
    alerts = [make.alert(f"Alert{n}") for n in range(ingest.AT_ONCE + 1)]
    for n in range(count):
        ingest.receive(source, make.alertmanager_body(*alerts, group=f"group-{n}"), now=timezone.now())


def stuck(source: Integration, count: int = 1, fault: str = "OperationalError: disk full") -> None:
    large(source, count)
    FanOut.objects.update(state="quarantined", finished_at=Now(), attempts=10, fault=fault)


def test_nothing_stuck_is_said_so_and_every_kind_is_listed(admin: User) -> None:
    text = page(admin, PATH)

    assert "Nothing is stuck" in text
    for model in work.kinds():
        assert str(model._meta.verbose_name_plural).capitalize() in text


def test_what_waits_is_counted_with_the_age_of_the_oldest(admin: User, source: Integration) -> None:
    large(source, 2)
    FanOut.objects.filter(delivery__fan_out__isnull=False).update(due_at=Now() - timedelta(minutes=12))

    [kind] = [kind for kind in workload.of_all_kinds(timezone.now()) if kind.label == "alerts.fanout"]

    assert (kind.backlog.due, kind.backlog.quarantined, kind.stuck) == (2, 0, [])
    assert "12 m" in page(admin, PATH)


def test_what_was_given_up_says_what_it_is_why_and_since_when(admin: User, source: Integration) -> None:
    stuck(source, fault="OperationalError: <disk> full")

    text = page(admin, PATH)

    assert "501 alerts from Production EU" in text
    assert f'href="/settings/deliveries/{Delivery.objects.get().pk}/"' in text
    assert "OperationalError: &lt;disk&gt; full" in text
    assert "Nothing is stuck" not in text
    assert '<td class="num" data-label="Attempts">10</td>' in text


def test_a_retry_has_it_done_and_the_admin_is_on_record(
    admin: User, source: Integration, caplog: pytest.LogCaptureFixture
) -> None:
    stuck(source)
    caplog.set_level(logging.INFO)

    answer = retry(admin, pk=FanOut.objects.get().pk)

    assert "1 will be tried again" in answer.content.decode()
    assert "Admin has 1 of alerts.fanout tried again" in caplog.text
    assert run_all_due(FanOut) == 1
    assert Alert.objects.count() == ingest.AT_ONCE + 1


def test_all_of_a_kind_are_tried_again_and_a_second_press_changes_nothing(admin: User, source: Integration) -> None:
    stuck(source, 3)

    answers = [retry(admin).content.decode() for _ in range(2)]

    assert "3 will be tried again" in answers[0]
    assert "already" in answers[1]
    assert set(FanOut.objects.values_list("state", "attempts")) == {("waiting", 0)}


def test_a_retry_leaves_alone_what_is_done_or_in_hand(admin: User, source: Integration) -> None:
    large(source, 2)
    [one] = work.take(FanOut, 2, {})
    assert work.begin(FanOut, one.pk, one.claim)
    before = list(FanOut.objects.order_by("pk").values())

    for row in FanOut.objects.all():
        retry(admin, pk=row.pk)

    assert list(FanOut.objects.order_by("pk").values()) == before


@pytest.mark.parametrize("form", [{}, {"kind": "people.user"}, {"kind": "alerts.fanout", "pk": "x"}, {"pk": "1"}])
def test_what_is_no_piece_of_work_is_not_found(admin: User, form: dict[str, str]) -> None:
    assert signed_in(admin).post(f"{PATH}retry/", form).status_code == 404


def test_only_admins_see_it_or_may_retry(bob: User, source: Integration) -> None:
    stuck(source)

    assert signed_in(bob).get(PATH).status_code == 403
    assert retry(bob).status_code == 403
    assert "Work</a>" not in page(bob, "/settings/people/")
    assert FanOut.objects.get().state == "quarantined"
    with pytest.raises(Exception, match="administrator"):
        workload.retry("alerts.fanout", "", by=person(bob), now=NOW)


def test_many_stuck_ones_are_cut_short_and_cost_no_more(admin: User, source: Integration, monkeypatch: Any) -> None:
    monkeypatch.setattr(workload, "SHOWN", 2)
    stuck(source, 3)

    assert "And 1 more" in page(admin, PATH)


def retry(user: User, **form: Any) -> Any:
    return signed_in(user).post(f"{PATH}retry/", {"kind": "alerts.fanout", **form}, follow=True)


def test_a_job_that_was_given_up_is_tried_again_once_and_never_beside_itself(admin: User) -> None:
    for minute in range(3):
        ScheduledRun.objects.create(
            job="sweep",
            slot=NOW + timedelta(minutes=minute),
            due_at=Now(),
            state="quarantined" if minute < 2 else "waiting",
            finished_at=Now(),
        )

    answer = signed_in(admin).post(f"{PATH}retry/", {"kind": "common.scheduledrun"})

    assert answer.status_code == 302
    assert ScheduledRun.objects.filter(state="waiting").count() == 1
