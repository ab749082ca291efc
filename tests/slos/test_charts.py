"""Budgets as they are drawn: a line for what remained, a bar for how fast it burned, and the same as a table."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from django.utils import timezone

from incidents import impact
from incidents.models import SloLink
from people.models import Team, User
from slos import burndown, drawing, ledger, rows
from slos.models import Slo
from tests import make
from tests.browsing import cost, page

AT = datetime(2026, 3, 31, tzinfo=UTC)
NOW = timezone.now().replace(second=0, microsecond=0)


def burned(slo: Slo, *good: int, until: datetime = AT) -> None:
    """A sample a day of 1,000 events each, the last one until that moment."""
    day = timedelta(days=1)
    start = until - len(good) * day
    ledger.store(
        slo,
        [{"start": start + n * day, "seconds": 86_400, "good": count, "valid": 1000} for n, count in enumerate(good)],
        now=until,
    )


def test_the_line_ends_with_what_remains_now_and_falls_where_it_burned(payments: Team) -> None:
    slo = make.slo(of=make.service("checkout", payments), target="0.99")
    burned(slo, *[1000] * 15, 850, *[1000] * 14)

    [steps] = burndown.of([ledger.budget(slo, AT)], 30)

    assert [step.remaining for step in steps[:15]] == [1] * 15
    assert [step.remaining for step in steps[15:]] == [Fraction(1, 2)] * 15
    assert [step.burn for step in steps if step.burn] == [15]
    assert steps[-1].remaining == ledger.budget(slo, AT).remaining


def test_what_no_sample_covers_is_a_gap_and_not_a_whole_budget(payments: Team) -> None:
    slo = make.slo(of=make.service("checkout", payments), target="0.99")
    burned(slo, *[1000] * 3)

    [steps] = burndown.of([ledger.budget(slo, AT)], 30)
    chart = drawing.burndown(steps)

    assert [step.remaining for step in steps[:27]] == [None] * 27
    assert not chart.lines[0].startswith("0,")
    assert len(drawing.burns(steps).bars) == 3
    [silent] = burndown.of([ledger.budget(make.slo("silent", of=slo.service), AT)], 30)
    assert drawing.burndown(silent).is_empty


def test_an_exceeded_budget_is_drawn_below_its_zero(payments: Team) -> None:
    slo = make.slo(of=make.service("checkout", payments), target="0.99")
    burned(slo, *[1000] * 29, 600)

    [steps] = burndown.of([ledger.budget(slo, AT)], 30)
    chart = drawing.burndown(steps)

    assert chart.levels[-1] < 0
    assert 0 < float(chart.zero) < chart.height
    assert drawing.burns(steps).bars[-1].is_fast


def test_the_page_draws_and_says_the_same_as_a_table_with_bands_for_incidents(payments: Team, bob: User) -> None:
    slo = make.slo("accuracy", of=make.service("checkout", payments), target="0.99")
    burned(slo, *[998] * 30, until=NOW)
    incident = make.incident(payments, "Approvals <fell>", by=bob, now=NOW - timedelta(hours=5))
    impact.link(incident, slo, origin=SloLink.Origin.PERSON, by=make.person(bob), now=NOW)

    shown = page(bob, "/slos/accuracy/")

    assert "<polyline" in shown
    assert f"<title>{incident}: Approvals &lt;fell&gt;</title>" in shown
    assert "The same as a table" in shown
    assert "style=" not in shown
    assert "<svg" in page(bob, "/slos/")


def test_samples_that_come_no_more_are_called_stale(payments: Team, bob: User) -> None:
    slo = make.slo("accuracy", of=make.service("checkout", payments))
    make.samples(slo, (NOW - timedelta(hours=3), 60, 99, 100), now=NOW)

    assert "No sample has come for a while" in page(bob, "/slos/accuracy/")
    assert "stale:" in page(bob, "/slos/")

    make.samples(slo, (NOW - timedelta(minutes=2), 60, 99, 100), now=NOW)

    assert "stale:" not in page(bob, "/slos/")


def test_only_a_budget_that_runs_out_within_its_window_says_when(payments: Team) -> None:
    slow, fast = (make.slo(slug, of=make.service(f"of-{slug}", payments), target="0.99") for slug in ("slow", "fast"))
    for slo, good in ((slow, 995), (fast, 950)):
        burned(slo, *[1000] * 29, good)

    by_slug = {row.standing.slo.slug: row.runs_out for row in rows.listed(Slo.objects.all(), now=AT)}

    assert by_slug == {"slow": False, "fast": True}


def test_more_slos_cost_no_more_statements(payments: Team, bob: User) -> None:
    make.slo("first", of=make.service("checkout", payments))
    before = cost(bob, "/slos/")
    for n in range(4):
        make.slo(f"more-{n}", of=make.service(f"more-{n}", payments))

    assert cost(bob, "/slos/") == before
