"""Theme, language, time zone and keys: one's own, kept on the server, in force from the next page on."""

from __future__ import annotations

import pytest

from people.models import User
from tests.browsing import page, signed_in

CHOSEN = {"theme": "dark", "language": "de", "time_zone": "Europe/Berlin"}


def head_of(text: str) -> str:
    return text[text.index("<html") : text.index(">", text.index("<html"))]


def test_what_is_chosen_is_in_force_on_the_next_page(alice: User) -> None:
    client = signed_in(alice)

    said = client.post("/account/preferences/", CHOSEN, follow=True)

    head = head_of(client.get("/incidents/").content.decode())
    assert 'lang="de"' in head
    assert 'data-bs-theme="dark"' in head
    assert 'data-time-zone="Europe/Berlin"' in head
    assert "data-keys" not in head
    assert 'lang="de"' in head_of(said.content.decode())


def test_who_has_chosen_nothing_follows_the_system_and_has_the_keys(alice: User) -> None:
    head = head_of(page(alice, "/incidents/"))

    assert "data-bs-theme" not in head
    assert "data-keys" in head


def test_the_switch_in_the_menu_leads_back_to_where_it_stood(alice: User) -> None:
    client = signed_in(alice)

    answer = client.post(
        "/account/preferences/theme/", {"theme": "light"}, headers={"referer": "http://testserver/slos/?window=30"}
    )

    assert (answer.status_code, answer.headers["Location"]) == (302, "http://testserver/slos/?window=30")
    assert 'data-bs-theme="light"' in head_of(client.get("/slos/").content.decode())


@pytest.mark.parametrize("wrong", [{"theme": "pink"}, {"language": "tlh"}, {"time_zone": "Mars/Olympus"}])
def test_what_there_is_not_cannot_be_chosen(alice: User, wrong: dict[str, str]) -> None:
    client = signed_in(alice)

    refused = client.post("/account/preferences/", CHOSEN | wrong)

    alice.refresh_from_db()
    assert refused.status_code == 422
    assert "field-errors" in refused.content.decode()
    assert (alice.theme, alice.language) == ("system", "")


def test_a_theme_that_there_is_not_is_refused_also_from_the_menu(alice: User) -> None:
    assert signed_in(alice).post("/account/preferences/theme/", {"theme": "pink"}).status_code == 422


def test_a_preference_takes_no_administrator_s_form_out_of_date(alice: User) -> None:
    signed_in(alice).post("/account/preferences/", CHOSEN)

    alice.refresh_from_db()
    assert alice.version == 1
