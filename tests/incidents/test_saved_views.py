"""A filter of the list under a name: one's own, or a team's; renamed, deleted, brought back."""

from __future__ import annotations

import html
import re

import pytest
from django.db import IntegrityError, transaction

from incidents import saving
from incidents.models import SavedView
from people.models import Team, User
from tests import make
from tests.browsing import page, signed_in
from tests.make import NOW, person

NEW = "/incidents/views/new/"


def offered(user: User, address: str = "/incidents/") -> dict[str, str]:
    """Name of each view in the menu -> where it leads."""
    menu = page(user, address).partition("saved-views")[2].partition("</details>")[0]
    found = re.findall(r'<a href="([^"]*)"[^>]*>([^<]*)</a>', menu)
    return {html.unescape(name).strip(): html.unescape(url) for url, name in found}


@pytest.fixture
def own(alice: User) -> SavedView:
    return saving.save("Grave", "tab=open&severity=sev1", team=None, by=person(alice), now=NOW)


@pytest.fixture
def shared(alice: User, payments: Team) -> SavedView:
    return saving.save("Ours", "tab=open&team=payments", team=payments, by=person(alice), now=NOW)


def test_what_the_list_shows_is_kept_under_a_name_and_found_again(alice: User, payments: Team) -> None:
    make.incident(payments, severity="sev1")
    client = signed_in(alice)
    shown = client.get("/incidents/?severity=sev1,sev2&cursor=").content.decode()
    assert f'href="{NEW}?tab=open&amp;severity=sev1&amp;severity=sev2"' in shown
    form = client.get(f"{NEW}?tab=open&severity=sev1&severity=sev2").content.decode()
    [query] = re.findall(r'name="query"\s+value="([^"]*)"', form)

    answer = client.post(NEW, {"query": html.unescape(query), "name": "  Grave\nones ", "team": ""})

    assert answer["Location"] == "/incidents/?tab=open&severity=sev1&severity=sev2"
    assert offered(alice) == {"Grave ones": "?tab=open&severity=sev1&severity=sev2"}
    assert 'class="view-on"' in client.get(answer["Location"]).content.decode()
    assert 'class="view-on"' not in client.get("/incidents/").content.decode()


def test_ones_own_is_nobody_elses_and_a_teams_is_its_members(
    own: SavedView, shared: SavedView, alice: User, victor: User, charlie: User, admin: User
) -> None:
    assert list(offered(alice)) == ["Grave", "Ours"]
    assert list(offered(victor)) == ["Ours"]
    assert offered(charlie) == offered(admin) == {}
    for user in (charlie, victor):
        assert signed_in(user).get(f"/incidents/views/{own.pk}/").status_code == 404
        assert signed_in(user).post(f"/incidents/views/{own.pk}/delete/").status_code == 404


def test_who_made_it_or_manages_the_team_may_change_it(
    shared: SavedView, alice: User, bob: User, victor: User, charlie: User
) -> None:
    address = f"/incidents/views/{shared.pk}/"
    assert signed_in(victor).post(address, {"name": "Mine now", "team": ""}).status_code == 403
    assert signed_in(charlie).post(address, {"name": "Mine now", "team": ""}).status_code == 404

    assert signed_in(bob).post(address, {"name": "Payments", "team": shared.team_id}).status_code == 302

    assert list(offered(victor)) == ["Payments"]


def test_only_a_responder_of_the_team_shares_with_it(alice: User, victor: User, search: Team, payments: Team) -> None:
    for user, team in ((alice, search), (victor, payments)):
        answer = signed_in(user).post(NEW, {"query": "tab=open", "name": "Theirs", "team": team.pk})
        assert answer.status_code == 422

    assert not SavedView.objects.exists()


def test_what_is_deleted_can_be_brought_back_unless_its_name_is_taken(own: SavedView, alice: User) -> None:
    client = signed_in(alice)
    client.post(f"/incidents/views/{own.pk}/delete/")
    shown = client.get("/incidents/").content.decode()
    assert f'action="/incidents/views/{own.pk}/restore/"' in shown
    assert offered(alice) == {}

    client.post(f"/incidents/views/{own.pk}/restore/")
    assert list(offered(alice)) == ["Grave"]

    client.post(f"/incidents/views/{own.pk}/delete/")
    saving.save("Grave", "tab=all", team=None, by=person(alice), now=NOW)
    assert client.post(f"/incidents/views/{own.pk}/restore/").status_code == 409
    assert offered(alice) == {"Grave": "?tab=all"}


def test_nobody_else_brings_it_back(own: SavedView, alice: User, bob: User) -> None:
    saving.delete(own, by=person(alice), now=NOW)

    assert signed_in(bob).post(f"/incidents/views/{own.pk}/restore/").status_code == 404


def test_a_name_is_there_once_by_the_database_itself(own: SavedView, shared: SavedView, bob: User) -> None:
    for view in (own, shared):
        with pytest.raises(IntegrityError), transaction.atomic():
            SavedView.objects.create(name=view.name, query="tab=all", owner=view.owner, team=view.team, created_at=NOW)
    with pytest.raises(saving.NameTaken):
        saving.save("Ours", "tab=all", team=shared.team, by=person(bob), now=NOW)
    saving.save("Grave", "tab=all", team=None, by=person(bob), now=NOW)


@pytest.mark.parametrize("sent", [{"name": ""}, {"name": "x" * 61}, {"name": " \n"}])
def test_a_view_without_a_name_is_refused_beside_the_field(sent: dict[str, str], alice: User) -> None:
    answer = signed_in(alice).post(NEW, {"query": "tab=open", "team": "", **sent})

    assert answer.status_code == 422
    assert "field-errors" in answer.content.decode()


@pytest.mark.parametrize("query", ["tab=closet", "tab=open&severity=sev9", "tab=open&q=" + "x" * 3000])
def test_only_what_the_list_understands_is_kept(query: str, alice: User) -> None:
    answer = signed_in(alice).post(NEW, {"query": query, "name": "Odd", "team": ""})

    assert answer.status_code in (404, 422)
    assert not SavedView.objects.exists()
