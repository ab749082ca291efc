"""What is asked for besides the password: an app's codes, and codes for the day it is lost."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.test import Client

from people import audit
from people.models import AuditEvent, User
from tests.conftest import Api
from tests.make import PASSWORD

CLOCK = time.time()


@pytest.fixture(autouse=True)
def _the_half_minute_does_not_end_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totp, "time", SimpleNamespace(time=lambda: CLOCK))


def code_of(secret: str, steps: int = 0) -> str:
    """What an app shows now, or some steps of half a minute later."""
    return str(totp.format_hotp_value(totp.hotp_value(secret, int(CLOCK) // 30 + steps)))


def enrolled(user: User) -> tuple[str, list[str]]:
    """Somebody's app, added in a browser: its secret, and their recovery codes."""
    client = Client()
    client.force_login(user)
    page = client.get("/account/second-factor/app/").content.decode()
    found = re.search(r'<code class="secret"[^>]*>([A-Z2-7]{32})</code>', page)
    assert found
    answer = client.post("/account/second-factor/app/", {"code": code_of(found[1], -1)})
    assert answer.status_code == 201
    codes = re.findall(r"<code>([a-z0-9-]{29})</code>", answer.content.decode())
    assert len(codes) == 10
    return found[1], codes


def at_the_code(user: User) -> Client:
    """A browser in which the password was right."""
    client = Client()
    answer = client.post("/sign-in/", {"username": user.email, "password": PASSWORD, "next": "/incidents/?tab=all"})
    assert answer["Location"] == "/sign-in/code/"
    return client


def is_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


@pytest.fixture
def required(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """This installation asks for one."""
    env = settings.ENV.model_copy(update={"require_second_factor": request.param})
    monkeypatch.setattr(settings, "ENV", env)


def test_the_password_alone_lets_nobody_in_any_more(alice: User) -> None:
    secret, _ = enrolled(alice)

    client = at_the_code(alice)
    assert not is_in(client)
    assert client.get("/incidents/").status_code == 302
    wrong = client.post("/sign-in/code/", {"code": "000000"})
    right = client.post("/sign-in/code/", {"code": code_of(secret)})

    assert (wrong.status_code, right.status_code) == (422, 302)
    assert right["Location"] == "/incidents/?tab=all"
    assert is_in(client)


def test_a_code_works_once(alice: User) -> None:
    secret, _ = enrolled(alice)
    code = code_of(secret)

    first = at_the_code(alice).post("/sign-in/code/", {"code": code})
    again = at_the_code(alice).post("/sign-in/code/", {"code": f"{code[:3]} {code[3:]}"})

    assert (first.status_code, again.status_code) == (302, 422)


def test_the_code_that_added_the_app_signs_nobody_in(alice: User) -> None:
    secret, _ = enrolled(alice)

    assert at_the_code(alice).post("/sign-in/code/", {"code": code_of(secret, -1)}).status_code == 422


@pytest.mark.parametrize("steps", [-3, 3, 20])
def test_a_code_of_another_time_is_none(alice: User, steps: int) -> None:
    secret, _ = enrolled(alice)

    assert at_the_code(alice).post("/sign-in/code/", {"code": code_of(secret, steps)}).status_code == 422


def test_a_recovery_code_works_once_and_is_kept_as_a_hash(alice: User) -> None:
    _, codes = enrolled(alice)
    kept = str(Authenticator.objects.filter(user=alice).values_list("data", flat=True))
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)

    first = at_the_code(alice).post("/sign-in/code/", {"code": codes[3].upper()})
    again = at_the_code(alice).post("/sign-in/code/", {"code": codes[3]})
    other = at_the_code(alice).post("/sign-in/code/", {"code": codes[4].replace("-", "")})

    assert (first.status_code, again.status_code, other.status_code) == (302, 422, 302)
    assert AuditEvent.objects.filter(action=audit.Action.RECOVERY_CODE_USED).count() == 2


def test_new_recovery_codes_end_those_before(client: Client, alice: User) -> None:
    _, old = enrolled(alice)
    client.force_login(alice)

    made = client.post("/account/second-factor/codes/")
    new = re.findall(r"<code>([a-z0-9-]{29})</code>", made.content.decode())

    assert at_the_code(alice).post("/sign-in/code/", {"code": old[0]}).status_code == 422
    assert at_the_code(alice).post("/sign-in/code/", {"code": new[0]}).status_code == 302
    assert new[1] not in client.get("/account/second-factor/").content.decode()


def test_the_secret_is_sealed_in_the_database(alice: User) -> None:
    secret, _ = enrolled(alice)

    assert secret not in str(Authenticator.objects.filter(user=alice).values_list("data", flat=True))


def test_guesses_at_codes_are_counted(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, _ = enrolled(alice)
    monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update={"login_attempts_per_hour": 3}))
    client = at_the_code(alice)

    codes = [client.post("/sign-in/code/", {"code": f"00000{n}"}).status_code for n in range(4)]

    assert codes == [422, 422, 422, 429]
    assert client.post("/sign-in/code/", {"code": code_of(secret)}).status_code == 429
    assert not is_in(client)


def test_the_step_is_nothing_without_the_first_one(client: Client, alice: User) -> None:
    secret, _ = enrolled(alice)

    assert client.get("/sign-in/code/")["Location"] == "/sign-in/"
    assert client.post("/sign-in/code/", {"code": code_of(secret)})["Location"] == "/sign-in/"
    assert not is_in(client)


def test_the_step_is_open_for_a_quarter_of_an_hour(alice: User) -> None:
    secret, _ = enrolled(alice)
    client = at_the_code(alice)
    session = client.session
    session["account_login"] = {**session["account_login"], "initiated_at": time.time() - 16 * 60}
    session.save()

    assert client.post("/sign-in/code/", {"code": code_of(secret)})["Location"] == "/sign-in/"
    assert not is_in(client)


def test_adding_and_removing_one_ends_the_other_sessions_and_is_recorded(alice: User) -> None:
    other, this = Client(), Client()
    other.force_login(alice)
    enrolled(alice)
    assert not is_in(other)

    this.force_login(alice)
    other.force_login(alice)
    app = Authenticator.objects.get(user=alice, type="totp")
    asked = this.get(f"/account/second-factor/{app.pk}/remove/").content.decode()
    this.post(f"/account/second-factor/{app.pk}/remove/")

    assert "your last one" in asked
    assert (is_in(other), is_in(this)) == (False, True)
    assert not Authenticator.objects.filter(user=alice).exists()
    told = list(AuditEvent.objects.order_by("seq").values_list("action", flat=True))
    assert [each for each in told if each.startswith("second_factor")] == [
        "second_factor.added",
        "second_factor.removed",
    ]


def test_nobody_removes_that_of_another(client: Client, alice: User, bob: User) -> None:
    enrolled(alice)
    app = Authenticator.objects.get(user=alice, type="totp")
    client.force_login(bob)

    assert client.post(f"/account/second-factor/{app.pk}/remove/").status_code == 404
    assert Authenticator.objects.filter(pk=app.pk).exists()


def test_a_code_confirms_that_it_is_oneself(client: Client, alice: User) -> None:
    secret, _ = enrolled(alice)
    client.force_login(alice)
    session = client.session
    session["_confirmed_at"] -= timedelta(minutes=20).total_seconds()
    session.save()

    assert client.get("/account/second-factor/app/").status_code == 302
    confirmed = client.post("/account/confirm/", {"confirm_code": code_of(secret), "next": "/settings/tokens/"})

    assert confirmed["Location"] == "/settings/tokens/"


@pytest.mark.parametrize("required", ["everyone"], indirect=True)
def test_where_it_is_required_who_has_none_can_only_add_one(
    required: None, client: Client, alice: User, api: Api
) -> None:
    program = api(alice)
    client.force_login(alice)

    for path in ("/", "/incidents/", "/account/", "/settings/tokens/", "/settings/people/"):
        assert client.get(path)["Location"] == "/account/second-factor/", path
    assert client.post("/settings/tokens/", {"name": "x", "scopes": ["read"]}).status_code == 302
    assert client.get("/api/v1/incidents/").json()["code"] == "second_factor_missing"
    assert client.get("/account/second-factor/app/").status_code == 200
    assert "needs a second factor" in client.get("/account/second-factor/").content.decode()
    assert program.get("/api/v1/incidents/").status_code == 200

    secret, _ = enrolled(alice)
    fresh = at_the_code(alice)
    fresh.post("/sign-in/code/", {"code": code_of(secret)})
    assert fresh.get("/incidents/").status_code == 200


@pytest.mark.parametrize("required", ["admins"], indirect=True)
def test_it_can_be_required_of_administrators_alone(required: None, admin: User, alice: User) -> None:
    theirs, hers = Client(), Client()
    theirs.force_login(admin)
    hers.force_login(alice)

    assert theirs.get("/incidents/")["Location"] == "/account/second-factor/"
    assert hers.get("/incidents/").status_code == 200


def test_the_link_for_the_app_says_who_and_where(client: Client, alice: User) -> None:
    client.force_login(alice)
    page = client.get("/account/second-factor/app/").content.decode()
    found = re.search(r'href="(otpauth://[^"]+)"', page)
    assert found

    parts = urlsplit(found[1].replace("&amp;", "&"))
    assert parts.path == "/alice%40example.com"
    assert parse_qs(parts.query)["issuer"] == ["Burnline"]
    assert 'src="data:image/svg+xml;base64,' in page
