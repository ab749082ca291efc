"""Signing in at a provider: a real one on this machine, and one that lies."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from allauth.mfa.totp.internal import auth as totp
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.test import Client

from people import audit, directory
from people.actors import person
from people.models import AuditEvent, User
from tests.make import NOW, PASSWORD

Configure = Callable[..., None]

CLIENT = "burnline"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ANOTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Configure:
    def set_to(**fields: Any) -> None:
        monkeypatch.setattr(settings, "ENV", settings.ENV.model_copy(update=fields))

    return set_to


# A real provider


@pytest.fixture(scope="module")
def real(iam_server: Any) -> Any:
    """Canaille, with Burnline as a client of it."""
    with iam_server.app.app_context():
        client = iam_server.models.Client(
            client_id=CLIENT,
            client_secret="a secret of the two",
            client_name="Burnline",
            client_uri="http://testserver",
            redirect_uris=[f"{settings.ENV.public_url}/sign-in/provider/back/"],
            scope=["openid", "profile", "email"],
            grant_types=["authorization_code"],
            response_types=["code"],
            token_endpoint_auth_method="client_secret_post",
        )
        iam_server.backend.save(client)
        client.audience = [client]
        iam_server.backend.save(client)
    return iam_server


def test_somebody_new_comes_in_by_a_real_provider_and_is_the_same_the_next_time(
    db: None, real: Any, configure: Configure
) -> None:
    configure(
        oidc_issuer=real.url.rstrip("/"),
        oidc_client_id=CLIENT,
        oidc_client_secret="a secret of the two",
        oidc_new_people=True,
    )
    visitor = real.random_user(emails=["dana@example.com"], formatted_name="Dana Doe")
    real.login(visitor)
    real.consent(visitor)

    def come_in() -> Client:
        client = Client()
        there = client.get("/sign-in/provider/?next=/account/")["Location"]
        assert parse_qs(urlsplit(there).query)["code_challenge_method"] == ["S256"]
        back = requests.get(there, allow_redirects=False, timeout=10).headers["Location"]
        assert urlsplit(back).path == "/sign-in/provider/back/", back
        answer = client.get(f"{urlsplit(back).path}?{urlsplit(back).query}")
        assert answer["Location"] == "/account/", answer.content.decode()
        return client

    client = come_in()
    assert "dana@example.com" in client.get("/account/").content.decode()
    real.backend.update(visitor, emails=["dana.new@example.com"])
    come_in()

    dana = User.objects.get()
    assert (dana.email, dana.is_admin, dana.has_usable_password()) == ("dana@example.com", False, False)
    assert not dana.memberships.exists()
    real.logout()


# One that lies


@dataclass
class Liar:
    """A provider of the tests: what it says of itself and of people is ours to choose."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    key: Any = KEY
    algorithm: str = "RS256"
    issuer: str = ""
    token_status: int = 200
    forms: list[dict[str, list[str]]] = field(default_factory=list)

    def answer_to(self, path: str) -> Any:
        if path.endswith("/openid-configuration"):
            ends = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
            return {
                "issuer": self.issuer or self.url,
                "jwks_uri": f"{self.url}/jwks",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
                **{f"{name}_endpoint": f"{self.url}/{end}" for name, end in ends.items()},
            }
        if path == "/jwks":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            return {"keys": [{**key, "kid": "one", "alg": "RS256", "use": "sig"}]}
        if path == "/token":
            key = "" if self.algorithm == "none" else self.key
            token = jwt.encode(self.claims, key, algorithm=self.algorithm, headers={"kid": "one"})
            return {"access_token": "an access token", "token_type": "Bearer", "id_token": token}
        return self.userinfo


@pytest.fixture
def liar() -> Iterator[Liar]:
    told = Liar()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200)

        def do_POST(self) -> None:
            told.forms.append(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self._answer(told.token_status)

        def _answer(self, status: int) -> None:
            body = json.dumps(told.answer_to(self.path)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield told
    server.shutdown()
    server.server_close()


@pytest.fixture
def ours(liar: Liar, configure: Configure) -> Configure:
    """It is the provider here. Further settings may be given."""

    def also(**fields: Any) -> None:
        configure(
            oidc_issuer=liar.url, oidc_client_id=CLIENT, oidc_client_secret="s", oidc_name="Work account", **fields
        )

    also()
    return also


def come_back(liar: Liar, client: Client | None = None, *, state: str = "", path: str = "", **claims: Any) -> Any:
    """The way there and back, with what the provider says of who came."""
    client = client or Client()
    asked = parse_qs(urlsplit(client.get(path or "/sign-in/provider/?next=/account/")["Location"]).query)
    now = int(time.time())
    liar.claims = {
        "iss": liar.url,
        "aud": CLIENT,
        "sub": "248289761001",
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "jti": str(uuid.uuid4()),
        "nonce": asked["nonce"][0],
        "email": "alice@example.com",
        "email_verified": True,
        "name": "Alice",
        **claims,
    }
    answer = client.get("/sign-in/provider/back/", {"code": "a code", "state": state or asked["state"][0]})
    assert answer.client is client
    return answer


def is_in(answer: Any) -> bool:
    client: Client = answer.client
    return client.get("/account/").status_code == 200


def test_it_is_offered_where_it_is_set_up_and_nowhere_else(
    client: Client, db: None, ours: Configure, configure: Configure
) -> None:
    assert "Work account" in client.get("/sign-in/").content.decode()
    configure(oidc_issuer="")

    assert "Work account" not in client.get("/sign-in/").content.decode()
    assert client.get("/sign-in/provider/").status_code == 404
    assert client.get("/sign-in/provider/back/").status_code == 404


def test_whom_the_provider_knows_and_we_do_not_is_not_let_in_unless_the_settings_say_so(
    db: None, liar: Liar, ours: Configure
) -> None:
    assert come_back(liar).status_code == 403
    assert not User.objects.exists()

    ours(oidc_new_people=True)
    answer = come_back(liar)

    assert answer["Location"] == "/account/"
    assert is_in(answer)
    assert User.objects.get().name == "Alice"


@pytest.mark.parametrize(
    ("claims", "is_let_in"),
    [
        ({"email": "a@example.com"}, True),
        ({"email": "a@EXAMPLE.com"}, True),
        ({"email": "a@example.com", "email_verified": False}, False),
        ({"email": "a@example.com.evil.example"}, False),
        ({"email": "a@evil.example"}, False),
        ({"email": None}, False),
    ],
)
def test_only_verified_addresses_of_the_domains_are_added(
    db: None, liar: Liar, ours: Configure, claims: dict[str, Any], is_let_in: bool
) -> None:
    ours(oidc_new_people=True, oidc_domains="example.com, example.org")

    assert is_in(come_back(liar, **claims)) is is_let_in


def test_the_same_address_is_not_the_same_person(db: None, liar: Liar, ours: Configure, alice: User) -> None:
    ours(oidc_new_people=True)

    answer = come_back(liar)

    assert answer.status_code == 403
    assert "sign in with your password" in answer.content.decode()
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(("is_verified", "is_let_in"), [(True, True), (False, False), (None, False)])
def test_a_verified_address_links_where_the_settings_say_so(
    liar: Liar, ours: Configure, alice: User, is_verified: bool | None, is_let_in: bool
) -> None:
    ours(oidc_links_verified_email=True)

    assert is_in(come_back(liar, email_verified=is_verified)) is is_let_in
    assert AuditEvent.objects.filter(action=audit.Action.ACCOUNT_LINKED).exists() is is_let_in


def test_another_sub_with_the_same_address_is_somebody_else(liar: Liar, ours: Configure, alice: User) -> None:
    ours(oidc_links_verified_email=True, oidc_new_people=True)
    assert is_in(come_back(liar))

    assert come_back(liar, sub="somebody else").status_code == 403
    assert is_in(come_back(liar))


def test_who_is_linked_stays_so_whatever_becomes_of_their_address(liar: Liar, ours: Configure, alice: User) -> None:
    ours(oidc_links_verified_email=True)
    come_back(liar)

    answer = come_back(liar, email="another@example.com", email_verified=False)

    assert is_in(answer)
    assert "alice@example.com" in answer.client.get("/account/").content.decode()


@pytest.fixture
def linked(liar: Liar, ours: Configure, alice: User) -> User:
    """Alice, who has signed in there before."""
    ours(oidc_links_verified_email=True)
    assert is_in(come_back(liar))
    return alice


HOSTILE: dict[str, dict[str, Any]] = {
    "a nonce of another request": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "for another client": {"aud": "another"},
    "for another client too": {"aud": [CLIENT, "another"]},
    "of another issuer": {"iss": "https://evil.example"},
    "over": {"exp": int(time.time()) - 60},
    "about nobody": {"sub": ""},
}


@pytest.mark.parametrize("claims", HOSTILE.values(), ids=HOSTILE)
def test_a_token_that_does_not_fit_lets_nobody_in(liar: Liar, linked: User, claims: dict[str, Any]) -> None:
    answer = come_back(liar, **claims)

    assert answer.status_code == 403
    assert "could not be trusted" in answer.content.decode()
    assert not is_in(answer)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(ANOTHER_KEY, "RS256"), ("s" * 32, "HS256"), ("", "none")],
    ids=["another key", "a shared secret", "no signature"],
)
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(
    liar: Liar, linked: User, key: Any, algorithm: str
) -> None:
    liar.key, liar.algorithm = key, algorithm

    assert come_back(liar).status_code == 403


def test_a_token_is_used_once(liar: Liar, linked: User) -> None:
    assert is_in(come_back(liar, jti="the-one"))

    assert come_back(liar, jti="the-one").status_code == 403


def test_an_answer_that_this_browser_did_not_ask_for_lets_nobody_in(liar: Liar, linked: User) -> None:
    victim = Client()
    attackers = parse_qs(urlsplit(Client().get("/sign-in/provider/")["Location"]).query)["state"][0]

    answer = come_back(liar, victim, state=attackers)

    assert answer.status_code == 403
    assert not is_in(answer)


def test_the_answer_to_one_request_counts_once(liar: Liar, linked: User) -> None:
    client = Client()
    asked = parse_qs(urlsplit(client.get("/sign-in/provider/")["Location"]).query)
    client.get("/sign-in/provider/back/", {"error": "server_error", "state": asked["state"][0]})

    again = client.get("/sign-in/provider/back/", {"code": "a code", "state": asked["state"][0]})

    assert again.status_code == 403


def test_the_code_is_bound_to_this_browser(liar: Liar, linked: User) -> None:
    come_back(liar)

    [*_, form] = liar.forms
    assert len(form["code_verifier"][0]) >= 43
    assert form["redirect_uri"] == [f"{settings.ENV.public_url}/sign-in/provider/back/"]


def test_a_provider_that_calls_itself_otherwise_is_none(client: Client, liar: Liar, ours: Configure, db: None) -> None:
    liar.issuer = "https://evil.example"

    assert client.get("/sign-in/provider/").status_code == 403


def test_who_was_deactivated_here_is_not_let_in(liar: Liar, linked: User, admin: User) -> None:
    directory.change_user(linked, {"is_active": False}, by=person(admin), now=NOW)

    assert come_back(liar).status_code == 403


def test_the_second_factor_is_asked_for_all_the_same(liar: Liar, linked: User) -> None:
    totp.TOTP.activate(linked, totp.generate_totp_secret())

    answer = come_back(liar)

    assert answer["Location"] == "/sign-in/code/"
    assert not is_in(answer)


def test_where_the_provider_is_away_the_password_still_lets_in(
    client: Client, alice: User, configure: Configure
) -> None:
    configure(oidc_issuer="http://127.0.0.1:9", oidc_client_id=CLIENT, oidc_name="Work account")

    answer = client.get("/sign-in/provider/")
    assert answer.status_code == 503
    assert "Work account cannot be reached" in answer.content.decode()

    assert client.post("/sign-in/", {"username": alice.email, "password": PASSWORD}).status_code == 302


def test_one_connects_and_disconnects_ones_own_account(liar: Liar, ours: Configure, alice: User, bob: User) -> None:
    hers, his = Client(), Client()
    hers.force_login(alice)
    his.force_login(bob)

    connected = come_back(liar, hers, path="/sign-in/provider/?for=connect")
    assert connected["Location"] == "/account/password/"
    assert is_in(come_back(liar))
    come_back(liar, his, path="/sign-in/provider/?for=connect")
    assert SocialAccount.objects.get().user == alice

    hers.post("/account/provider/disconnect/")
    assert not SocialAccount.objects.exists()
    assert come_back(liar).status_code == 403


def test_who_has_no_password_confirms_at_the_provider_which_has_to_ask(db: None, liar: Liar, ours: Configure) -> None:
    ours(oidc_new_people=True)
    client: Client = come_back(liar, email="dana@example.com").client
    session = client.session
    session["_confirmed_at"] -= 20 * 60
    session.save()
    path = "/sign-in/provider/?for=confirm&next=/settings/tokens/"

    stale = come_back(liar, client, path=path, auth_time=int(time.time()) - 3600)
    assert stale["Location"] == "/account/password/"
    assert client.post("/settings/tokens/", {"name": "bot", "scopes": ["read"]}).status_code == 403

    fresh = come_back(liar, client, path=path)
    assert fresh["Location"] == "/settings/tokens/"
    assert client.post("/settings/tokens/", {"name": "bot", "scopes": ["read"]}).status_code == 201


def test_the_only_way_in_is_not_given_up(db: None, liar: Liar, ours: Configure) -> None:
    ours(oidc_new_people=True)
    client: Client = come_back(liar, email="dana@example.com").client

    assert client.post("/account/provider/disconnect/").status_code == 409
    assert SocialAccount.objects.exists()

    assert "Current password" not in client.get("/account/password/").content.decode()
    assert client.post("/account/password/", {"new_password": "some quite different words"}).status_code == 302
    assert client.post("/account/provider/disconnect/").status_code == 302
    assert not SocialAccount.objects.exists()
