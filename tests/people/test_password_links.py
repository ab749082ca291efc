"""Invitations, and passwords that were forgotten: by links that work once."""

from __future__ import annotations

import html
import re
import time
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.test import Client
from django.utils import timezone

from common import logs
from notifications import delivery
from notifications.channels import Target
from notifications.models import Message
from people import audit, links
from people.actors import person
from people.models import AuditEvent, PasswordLink, Team, User
from tests import make
from tests.make import PASSWORD

NEW = "some quite different words"


@pytest.fixture
def _mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """This installation sends mail."""
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"smtp_url": "smtp://mail.example.com:25"}))


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def shown(page: str) -> str:
    """The path of the link that stands in a page."""
    found = re.search(r'<code class="secret">([^<]+)</code>', page)
    assert found, page
    return urlsplit(html.unescape(found[1])).path


def opened(path: str) -> Client:
    """A browser in which the link was opened."""
    client = Client()
    assert client.get(path)["Location"] == "/link/"
    return client


def choose(client: Client, password: str = NEW) -> int:
    return client.post("/link/", {"new_password": password}).status_code


def signs_in(user: User, password: str) -> bool:
    return Client().post("/sign-in/", {"username": user.email, "password": password}).status_code == 302


def test_who_is_invited_chooses_a_password_and_is_in(admin: User, payments: Team) -> None:
    said = {
        "name": "Dana <b>",
        "email": "Dana@Example.com",
        "discipline": make.discipline("data_science").pk,
        f"team_{payments.pk}": "responder",
    }
    made = browser(admin).post("/settings/people/new/", said)
    assert made.status_code == 201
    assert "Dana &lt;b&gt;" in made.content.decode()
    dana = User.objects.get(email="dana@example.com")
    assert list(dana.memberships.values_list("team__slug", "role")) == [("payments", "responder")]
    assert not dana.has_usable_password()

    client = opened(shown(made.content.decode()))
    assert "dana@example.com" in client.get("/link/").content.decode()
    assert choose(client, "Password2026!") == 422
    answer = client.post("/link/", {"new_password": NEW})

    assert answer["Location"] == "/account/second-factor/?welcome"
    assert 'href="/first-steps/"' in client.get(answer["Location"]).content.decode()  # it can wait
    assert client.get("/incidents/").status_code == 200
    assert signs_in(dana, NEW)
    told = set(AuditEvent.objects.values_list("action", flat=True))
    assert {audit.Action.PERSON_INVITED, audit.Action.INVITATION_ACCEPTED, audit.Action.PERSON_ADDED} <= told


def test_a_link_works_once(admin: User, alice: User) -> None:
    path = shown(browser(admin).post(f"/settings/people/{alice.pk}/reset/").content.decode())
    early = opened(path)

    assert choose(opened(path)) == 302
    assert choose(early, "yet another password of hers") == 410
    assert opened(path).get("/link/").status_code == 410
    assert signs_in(alice, NEW)


@pytest.mark.parametrize(("later", "status"), [(timedelta(days=6), 200), (timedelta(days=8), 410)])
def test_an_invitation_lasts_seven_days(admin: User, alice: User, later: timedelta, status: int) -> None:
    link = links.invite(alice, by=person(admin), now=timezone.now() - later)

    assert opened(urlsplit(links.url_of(link)).path).get("/link/").status_code == status


def test_a_new_link_ends_the_one_before_and_so_does_a_new_password(admin: User, alice: User) -> None:
    admins, hers = browser(admin), browser(alice)
    first = shown(admins.post(f"/settings/people/{alice.pk}/invite/").content.decode())
    second = shown(admins.post(f"/settings/people/{alice.pk}/reset/").content.decode())
    assert opened(first).get("/link/").status_code == 410
    assert opened(second).get("/link/").status_code == 200

    hers.post("/account/password/", {"old_password": PASSWORD, "new_password": NEW})

    assert opened(second).get("/link/").status_code == 410


@pytest.mark.parametrize("token", ["x", "WzEsImEiXQ:1abc:forged", "%00", "a" * 3000])
def test_a_link_that_is_not_ours_leads_nowhere(client: Client, db: None, token: str) -> None:
    client.get(f"/link/{token}/")

    assert client.get("/link/").status_code == 410


def test_the_token_is_in_no_page_after_the_first_answer_which_tells_no_other_site(admin: User, alice: User) -> None:
    path = shown(browser(admin).post(f"/settings/people/{alice.pk}/reset/").content.decode())
    client = Client()

    first = client.get(path)
    page = client.get("/link/")

    assert first.headers["Referrer-Policy"] == "no-referrer"
    assert first.headers["Cache-Control"] == page.headers["Cache-Control"] == "no-store"
    assert path.split("/")[2] not in page.content.decode()


def test_the_token_is_not_in_the_log(admin: User, alice: User) -> None:
    path = urlsplit(links.url_of(links.hand_over(alice, by=person(admin), now=timezone.now()))).path

    assert logs.without_secrets(f"GET {path} 302") == "GET /link/… 302"


def test_a_reset_ends_the_sessions_and_leaves_the_second_factor(admin: User, alice: User) -> None:
    totp.TOTP.activate(alice, totp.generate_totp_secret())
    old = browser(alice)
    path = shown(browser(admin).post(f"/settings/people/{alice.pk}/reset/").content.decode())

    client = opened(path)
    answer = client.post("/link/", {"new_password": NEW})

    assert answer["Location"] == "/sign-in/code/"
    assert client.get("/incidents/").status_code == 302
    assert old.get("/account/").status_code == 302


def test_only_administrators_hand_links_over(alice: User, bob: User) -> None:
    assert browser(bob).post(f"/settings/people/{alice.pk}/reset/").status_code == 403
    assert browser(bob).post(f"/settings/people/{alice.pk}/invite/").status_code == 403
    assert not PasswordLink.objects.exists()


def test_an_admin_lets_in_who_has_lost_their_second_factor(admin: User, alice: User) -> None:
    totp.TOTP.activate(alice, totp.generate_totp_secret())

    browser(admin).post(f"/settings/people/{alice.pk}/reset/", {"second_factor": "remove"})

    assert Client().post("/sign-in/", {"username": alice.email, "password": PASSWORD})["Location"] == "/"


# By mail


@pytest.mark.usefixtures("_mail")
def test_who_forgot_it_gets_a_link_by_mail_that_stands_nowhere_in_the_database(alice: User) -> None:
    page = Client().post("/reset/", {"email": "ALICE@example.com"}).content.decode()

    assert "on its way" in page
    message = Message.objects.get()
    assert message.user == alice
    assert [each.is_to_account for each in message.deliveries.all()] == [True]
    assert "/link/" not in message.text + message.url + str(message.actions)
    sent = delivery._outgoing(message)
    assert choose(opened(urlsplit(sent.url).path)) == 302
    assert signs_in(alice, NEW)


@pytest.mark.usefixtures("_mail")
def test_the_answer_does_not_tell_who_has_an_account(alice: User, bob: User, admin: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)

    def ask(email: str) -> tuple[str, float]:
        began = time.monotonic()
        page = Client().post("/reset/", {"email": email}).content.decode()
        took = time.monotonic() - began
        return re.sub(r'(csrf-token"\s+content|csrfmiddlewaretoken" value)="[^"]+"', "", page), took

    answers = [ask(email) for email in (alice.email, "nobody@example.com", bob.email)]

    assert len({page for page, _ in answers}) == 1
    assert min(took for _, took in answers) >= 0.15
    assert Message.objects.count() == 1


@pytest.mark.usefixtures("_mail")
def test_nobody_is_flooded_with_links(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"login_attempts_per_hour": 3}))

    codes = [Client(REMOTE_ADDR=f"10.0.0.{n}").post("/reset/", {"email": alice.email}).status_code for n in range(5)]

    assert codes == [200, 200, 200, 429, 429]
    assert Message.objects.count() == 3


def test_without_a_mail_server_the_page_says_whom_to_ask(client: Client, alice: User) -> None:
    assert "Ask an administrator" in client.get("/reset/").content.decode()

    client.post("/reset/", {"email": alice.email})

    assert not PasswordLink.objects.exists()


@pytest.mark.usefixtures("_mail")
def test_an_invitation_is_mailed_and_shown(admin: User) -> None:
    made = browser(admin).post("/settings/people/new/", {"name": "Dana", "email": "dana@example.com"})

    assert "on its way" in made.content.decode()
    message = Message.objects.get()
    assert message.user.email == "dana@example.com"
    assert urlsplit(delivery._outgoing(message).url).path == shown(made.content.decode())


@pytest.mark.usefixtures("_mail")
def test_one_is_told_when_ones_password_or_second_factor_changes(alice: User) -> None:
    browser(alice).post("/account/password/", {"old_password": PASSWORD, "new_password": NEW})

    message = Message.objects.get()
    assert message.user == alice
    assert "password was changed" in message.text
    assert NEW not in message.text


# A new address


@pytest.mark.usefixtures("_mail")
def test_a_new_address_is_ones_own_once_its_link_was_opened_and_the_old_one_is_told(alice: User) -> None:
    client = browser(alice)

    client.post("/account/address/", {"email": "Alice.New@example.com"})
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    asked = Message.objects.get()
    assert [each.hint for each in asked.deliveries.all()] == ["alice.new@example.com"]
    there = opened(urlsplit(delivery._outgoing(asked).url).path)
    assert "alice.new@example.com" in there.get("/link/").content.decode()
    there.post("/link/")

    alice.refresh_from_db()
    assert alice.email == "alice.new@example.com"
    told = Message.objects.exclude(pk=asked.pk).get()
    [row] = told.deliveries.all()
    assert delivery._target(row, told) == Target("alice@example.com")
    assert there.get("/account/").status_code == 302, "the link signs nobody in"


@pytest.mark.usefixtures("_mail")
def test_the_address_of_somebody_else_stays_theirs(alice: User, bob: User) -> None:
    client = browser(alice)
    asked = client.post("/account/address/", {"email": bob.email})
    assert asked.status_code == 302

    answer = opened(urlsplit(delivery._outgoing(Message.objects.get()).url).path).post("/link/")

    assert answer.status_code == 422
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"


def test_without_a_mail_server_an_address_is_changed_by_an_administrator(alice: User) -> None:
    client = browser(alice)

    page = client.post("/account/address/", {"email": "new@example.com"}, follow=True).content.decode()

    assert "an administrator can change your address" in page
    assert "New address" not in page
