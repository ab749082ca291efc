"""Pages of action items: written in postmortems, followed in one list, changed by those who may."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from people.models import Team, User
from postmortems import drafting, items
from postmortems.models import ActionItem, Postmortem
from tests import make
from tests.browsing import grows, page, signed_in
from tests.make import NOW, person


def item(postmortem: Postmortem, title: str = "Test the freshness", *, by: User, **fields: Any) -> ActionItem:
    return items.create(postmortem, title, by=person(by), now=NOW, **fields)


def form(written: ActionItem, **changes: Any) -> dict[str, Any]:
    """What the page would send of an item."""
    names = ("title", "type", "priority", "status", "reason", "evidence", "check_text", "tracker", "version")
    sent = {name: getattr(written, name) for name in names}
    return {**sent, "owner": written.owner_id or "", "team": written.team_id or "", "tags": "", **changes}


def test_one_is_written_down_from_its_postmortem(postmortem: Postmortem, alice: User, payments: Team) -> None:
    typed = {
        "title": "Test the freshness of features",
        "type": "detect",
        "priority": "p0",
        "owner": alice.pk,
        "team": payments.pk,
        "due_on": "2026-04-01",
        "tags": "features, ml",
        "tracker": "https://tracker.example/1",
    }

    response = signed_in(alice).post("/action-items/new/?postmortem=1", typed, follow=True)

    written = ActionItem.objects.get()
    assert response.redirect_chain[-1][0] == "/postmortems/1/#action_items"
    assert "Test the freshness of features" in response.content.decode()
    assert (written.owner, written.due_on, written.tags) == (alice, date(2026, 4, 1), ["features", "ml"])


def test_without_a_postmortem_one_is_asked_which(alice: User) -> None:
    response = signed_in(alice).get("/action-items/new/", follow=True)

    assert response.redirect_chain[-1][0] == "/postmortems/"
    assert "choose which" in response.content.decode()


def test_a_private_postmortems_items_are_not_there_for_others(payments: Team, bob: User, charlie: User) -> None:
    secret = make.incident(payments, by=bob, is_private=True)
    postmortem, _ = drafting.draft(secret, by=person(bob), now=NOW)
    written = item(postmortem, "Tell the customers", by=bob)

    assert "Tell the customers" in page(bob, "/action-items/?tab=all")
    assert "Tell the customers" not in page(charlie, "/action-items/?tab=all")
    assert signed_in(charlie).get(f"/action-items/{written.pk}/").status_code == 404
    assert signed_in(charlie).get(f"/action-items/new/?postmortem={secret.number}").status_code == 404


def test_the_tabs_are_mine_open_overdue_and_all_and_what_is_late_is_marked(
    postmortem: Postmortem, alice: User, bob: User
) -> None:
    yesterday = timezone.localdate() - timedelta(days=1)
    item(postmortem, "Late and mine", by=bob, owner=alice, due_on=yesterday)
    item(postmortem, "Open and his", by=bob, owner=bob)
    item(postmortem, "Done long ago", by=bob, owner=alice, due_on=yesterday, status="done")

    mine, unfinished, overdue, everything = (
        page(alice, f"/action-items/{tab}") for tab in ("?tab=mine", "", "?tab=overdue", "?tab=all")
    )

    assert "Late and mine" in mine
    assert "Open and his" not in mine
    assert mine.count(">overdue<") == 1
    assert "Open and his" in unfinished
    assert "Done long ago" not in unfinished
    assert "Done long ago" in everything
    assert everything.count(">overdue<") == 1
    assert "Late and mine" in overdue
    assert "Open and his" not in overdue
    assert "Done long ago" not in overdue
    assert signed_in(alice).get("/action-items/?tab=yours").status_code == 404


def test_empty_tabs_say_what_comes_there(victor: User) -> None:
    assert "Nothing is waiting for you" in page(victor, "/action-items/?tab=mine")
    assert "Nothing is open" in page(victor, "/action-items/")
    assert "Nothing is late" in page(victor, "/action-items/?tab=overdue")
    assert "No action item yet" in page(victor, "/action-items/?tab=all")


def test_ones_own_is_changed_and_markup_in_it_is_text(postmortem: Postmortem, alice: User) -> None:
    written = item(postmortem, by=alice)

    response = signed_in(alice).post(
        f"/action-items/{written.pk}/",
        form(written, title="<script>alert(1)</script>", status="in_progress"),
        follow=True,
    )

    written.refresh_from_db()
    assert written.status == "in_progress"
    assert "<script>alert" not in response.content.decode()
    assert "&lt;script&gt;alert" in response.content.decode()


def test_what_wont_be_done_says_why(postmortem: Postmortem, alice: User) -> None:
    written = item(postmortem, by=alice)

    response = signed_in(alice).post(f"/action-items/{written.pk}/", form(written, status="wont_do"))

    written.refresh_from_db()
    assert response.status_code == 422
    assert "says why" in response.content.decode()
    assert written.status == "open"


def test_only_moves_that_its_status_allows_are_offered(postmortem: Postmortem, alice: User) -> None:
    written = item(postmortem, by=alice)

    response = signed_in(alice).post(f"/action-items/{written.pk}/", form(written, status="verified"))

    assert response.status_code == 422
    assert 'value="verified"' not in response.content.decode()


def test_anothers_is_for_a_manager_of_the_team(postmortem: Postmortem, alice: User, bob: User, charlie: User) -> None:
    written = item(postmortem, by=bob, owner=bob)
    path = f"/action-items/{written.pk}/"

    assert "somebody else" in page(alice, path)
    assert signed_in(alice).post(path, form(written, priority="p3")).status_code == 403
    hers = item(postmortem, "Watch the slices", by=alice, owner=alice)
    assert signed_in(bob).post(f"/action-items/{hers.pk}/", form(hers, priority="p1")).status_code == 302


def test_of_two_who_change_one_the_second_is_told_and_loses_nothing(postmortem: Postmortem, alice: User) -> None:
    written = item(postmortem, by=alice)
    client = signed_in(alice)
    client.post(f"/action-items/{written.pk}/", form(written, title="First"))

    late = client.post(f"/action-items/{written.pk}/", form(written, title="Second"))

    written.refresh_from_db()
    assert late.status_code == 412
    assert 'value="Second"' in late.content.decode()
    assert written.title == "First"


@pytest.mark.parametrize("path", ["/action-items/new/?postmortem=1", "/action-items/{pk}/"])
def test_a_viewer_reads_the_list_and_no_more(path: str, postmortem: Postmortem, bob: User, victor: User) -> None:
    written = item(postmortem, by=bob)

    assert "Test the freshness" in page(victor, "/action-items/")
    assert f"/action-items/{written.pk}/" not in page(victor, "/action-items/")
    assert signed_in(victor).get(path.format(pk=written.pk)).status_code == 403


def test_the_list_costs_the_same_however_many_there_are(postmortem: Postmortem, alice: User) -> None:
    assert grows(alice, ["/action-items/"], lambda: item(postmortem, make.unique("Item"), by=alice, owner=alice)) == []
