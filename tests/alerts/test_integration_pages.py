"""Pages of integrations: for admins alone, a token shown once, a receiver to paste."""

import re

import pytest

from alerts import integrations
from alerts.models import Integration
from people.models import Team, User
from tests import make
from tests.browsing import grows, page, signed_in

TOKEN = re.compile(r"bli_[\w-]{40,}")


@pytest.mark.parametrize(
    "path",
    [
        "/settings/integrations/",
        "/settings/integrations/new/",
        "/settings/integrations/production/",
        "/settings/deliveries/",
    ],
)
def test_only_admins_see_them(path: str, admin: User, bob: User, alice: User, victor: User) -> None:
    make.integration("Production")

    assert page(admin, path)
    assert [signed_in(user).get(path).status_code for user in (bob, alice, victor)] == [403, 403, 403]


def test_a_new_one_shows_its_token_once_within_a_receiver_to_paste(admin: User, payments: Team) -> None:
    client = signed_in(admin)

    made = client.post("/settings/integrations/new/", {"name": "Production EU", "team": payments.pk})
    token = TOKEN.search(made.content.decode())

    assert token
    assert f"credentials: {token[0]}" in made.content.decode()
    assert made.headers["Cache-Control"] == "no-store"
    assert integrations.by_authorization(f"Bearer {token[0]}") == Integration.objects.get(slug="production-eu")
    assert token[0] not in str(dict(client.session))
    for later in ("/settings/integrations/", "/settings/integrations/production-eu/", "/settings/deliveries/"):
        assert token[0] not in client.get(later).content.decode()


def test_its_page_has_the_receiver_with_a_placeholder_and_what_came(admin: User) -> None:
    integration, token = make.integration("Production")

    assert "Waiting for the first delivery" in page(admin, "/settings/integrations/production/")
    make.fired(integration)
    shown = page(admin, "/settings/integrations/production/")

    assert "&lt;the token of production&gt;" in shown
    assert token not in shown
    assert "<span>1 received</span>" in shown
    assert "<span>1 fired</span>" in shown


def test_a_rotation_shows_the_new_token_once_and_ends_the_old_one(admin: User, bob: User) -> None:
    integration, old = make.integration("Production")
    client = signed_in(admin)

    assert signed_in(bob).post("/settings/integrations/production/rotate/").status_code == 403
    assert client.get("/settings/integrations/production/rotate/").status_code == 405
    rotated = client.post("/settings/integrations/production/rotate/", {"keep_old_for": "0"})
    token = TOKEN.search(rotated.content.decode())
    integrations.forget()

    assert token
    assert rotated.headers["Cache-Control"] == "no-store"
    assert integrations.by_authorization(f"Bearer {token[0]}") == integration
    assert integrations.by_authorization(f"Bearer {old}") is None
    assert token[0] not in client.get("/settings/integrations/production/").content.decode()


def test_one_needs_a_name_and_keeps_clear_of_our_own_addresses(admin: User) -> None:
    client = signed_in(admin)

    nameless = client.post("/settings/integrations/new/", {"name": " "})
    client.post("/settings/integrations/new/", {"name": "New"})

    assert nameless.status_code == 422
    assert Integration.objects.get().slug != "new"


def test_what_is_not_there_is_404(admin: User) -> None:
    assert signed_in(admin).get("/settings/integrations/nothing/").status_code == 404


def test_the_pages_cost_the_same_however_much_came(admin: User) -> None:
    integration, _ = make.integration("Production")

    def add() -> None:
        name = make.unique("Alert")
        make.integration(name)
        make.fired(integration, make.alert(name), group=name)

    assert grows(admin, ["/settings/integrations/", "/settings/integrations/production/"], add) == []


def test_what_becomes_of_what_comes_with_a_token_that_stopped_is_told_as_it_is(admin: User) -> None:
    make.integration("Production")

    shown = " ".join(signed_in(admin).get("/settings/integrations/production/").content.decode().split())

    assert "Alertmanager sends it again no sooner than at the next group interval" in shown
    assert "does not send it again" not in shown
