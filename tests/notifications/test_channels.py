"""Each channel against a provider that speaks its wire format, and behaves as providers do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pytest_django.fixtures import Settings
from standardwebhooks import Webhook as Receiver

from common import outside
from notifications.channels import CHANNELS, Action, Later, Never, Outcome, Outgoing, Sent, Target, posting, webhook
from tests import providers
from tests.providers import HttpProvider

NOW = datetime(2026, 11, 22, 3, 7, 9, tzinfo=UTC)
OVER_HTTP = ["slack", "teams", "ntfy", "webhook"]
PATHS = {
    "slack": "/services/T000/B000/SECRETPATH",
    "teams": "/workflows/SECRETPATH/triggers/manual/paths/invoke?sig=SECRETSIGNATURE",
    "ntfy": "/SECRETTOPIC",
    "webhook": "/burnline/SECRETPATH?token=SECRETTOKEN",
}
SECRETS = {"webhook": CHANNELS["webhook"].new_secret(), "ntfy": "tk_SECRETACCESSTOKEN"}

MESSAGE = Outgoing(
    key="incident:42:asked:7",
    subject="SEV1: Checkout is slow — INC-42",
    text="Alice asks you to join.\n\nError budget <99.9% & burning; ask @all or <!channel> about [this](http://evil.example).",
    url="https://burnline.example/incidents/42/",
    at=NOW,
    actions=(
        Action("I'm in", "https://burnline.example/answers/1/?a=b&c=d"),
        Action("I can't", "https://burnline.example/answers/2/"),
    ),
    priority="urgent",
)


@pytest.fixture(autouse=True)
def loopback_is_allowed(settings: Settings) -> None:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})


@pytest.fixture
def provider() -> Iterator[HttpProvider]:
    with providers.http() as provider:
        yield provider


def target(kind: str, provider: HttpProvider) -> Target:
    address = CHANNELS[kind].check(provider.url(PATHS[kind]))
    return Target(address, CHANNELS[kind].check_secret(SECRETS.get(kind, "")))


def send(kind: str, provider: HttpProvider, message: Outgoing = MESSAGE) -> Outcome:
    return CHANNELS[kind].send(message, target(kind, provider))


def both(kinds: Sequence[str], behaviours: Iterable[object]) -> list[tuple[str, object]]:
    return [(kind, behaviour) for kind in kinds for behaviour in behaviours]


# What a good provider gets


def test_slack_gets_text_and_blocks(provider: HttpProvider) -> None:
    assert send("slack", provider) == Sent("127.0.0.1 answered 200.")

    (request,) = provider.requests
    assert request.path == PATHS["slack"]
    assert request.headers["content-type"] == "application/json"
    header, section, actions = request.json["blocks"]
    assert header == {"type": "header", "text": {"type": "plain_text", "text": MESSAGE.subject, "emoji": False}}
    assert section["text"] == {"type": "plain_text", "text": MESSAGE.text, "emoji": False}
    assert [(one["type"], one["text"]["text"], one["url"]) for one in actions["elements"]] == [
        ("button", "I'm in", "https://burnline.example/answers/1/?a=b&c=d"),
        ("button", "I can't", "https://burnline.example/answers/2/"),
        ("button", "Open in Burnline", "https://burnline.example/incidents/42/"),
    ]
    assert len({one["action_id"] for one in actions["elements"]}) == 3


def test_what_slack_reads_as_markup_calls_nobody_and_links_nowhere(provider: HttpProvider) -> None:
    send("slack", provider)

    text = provider.requests[0].json["text"]
    assert "&lt;99.9% &amp; burning" in text
    assert "<!channel>" not in text
    assert "&lt;!channel&gt;" in text
    assert "@all" not in text
    assert "](" not in text
    assert "<https://burnline.example/answers/1/?a=b&amp;c=d|I'm in>" in text
    links = [part.partition(">")[0] for part in text.split("<")[1:]]
    assert [link.partition("|")[2] for link in links] == ["I'm in", "I can't", "Open in Burnline"]


@pytest.mark.parametrize("hostile", ["<!here>", "<@U123>", "<!subteam^S1|x>", "<https://evil.example|Click>", "a|b>c"])
def test_no_word_of_ours_breaks_out_of_slacks_markup(hostile: str, provider: HttpProvider) -> None:
    action = Action(hostile, f"https://burnline.example/{hostile}")
    send("slack", provider, replace(MESSAGE, subject=hostile, text=hostile, actions=(action,)))

    text = provider.requests[0].json["text"]
    links = [part.partition(">")[0] for part in text.split("<")[1:]]
    assert len(links) == 2
    assert all(link.startswith("https://burnline.example/") and link.count("|") == 1 for link in links)


def test_teams_gets_an_adaptive_card_in_which_nothing_is_markdown(provider: HttpProvider) -> None:
    assert send("teams", provider) == Sent("127.0.0.1 answered 202.")

    (request,) = provider.requests
    assert request.path == PATHS["teams"]
    (attachment,) = request.json["attachments"]
    card = attachment["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    said = [run["text"] for block in card["body"] for run in block["inlines"]]
    assert said == [MESSAGE.subject, *filter(None, MESSAGE.text.splitlines())]
    assert [(one["type"], one["title"], one["url"]) for one in card["actions"]] == [
        ("Action.OpenUrl", action.label, action.url) for action in MESSAGE.links
    ]


def test_ntfy_gets_the_message_at_the_root_of_the_server(provider: HttpProvider) -> None:
    assert send("ntfy", provider) == Sent("127.0.0.1 answered 200.")

    (request,) = provider.requests
    assert request.path == "/"
    assert request.headers["authorization"] == "Bearer tk_SECRETACCESSTOKEN"
    published = request.json
    assert published.pop("sequence_id")
    assert published == {
        "topic": "SECRETTOPIC",
        "title": MESSAGE.subject,
        "message": MESSAGE.text,
        "priority": 5,
        "click": MESSAGE.url,
        "actions": [{"action": "view", "label": action.label, "url": action.url} for action in MESSAGE.actions],
    }


def test_ntfy_needs_no_token_where_the_topic_is_open(provider: HttpProvider) -> None:
    CHANNELS["ntfy"].send(MESSAGE, Target(target("ntfy", provider).address))

    assert "authorization" not in provider.requests[0].headers


def test_a_webhook_is_signed_so_that_the_standards_own_library_takes_it(provider: HttpProvider) -> None:
    assert send("webhook", provider) == Sent("127.0.0.1 answered 204.")

    (request,) = provider.requests
    assert request.path == PATHS["webhook"]
    said = Receiver(SECRETS["webhook"]).verify(request.body, dict(request.headers))
    assert request.headers["webhook-id"] == MESSAGE.key
    assert said["type"] == "burnline.message"
    assert said["timestamp"] == "2026-11-22T03:07:09+00:00"
    assert said["data"]["actions"][0] == {"label": "I'm in", "url": MESSAGE.actions[0].url}
    with pytest.raises(Exception, match="No matching signature"):
        Receiver(CHANNELS["webhook"].new_secret()).verify(request.body, dict(request.headers))


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "secret", "whsec_***", "A" * 43 + "="])
def test_a_webhook_without_a_good_secret_is_not_sent(secret: str, provider: HttpProvider) -> None:
    outcome = CHANNELS["webhook"].send(MESSAGE, Target(target("webhook", provider).address, secret))

    assert isinstance(outcome, Never)
    assert provider.requests == []


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_each_copy_carries_the_same_key(kind: str, provider: HttpProvider) -> None:
    provider.behave(providers.status(500), providers.fine)

    assert isinstance(send(kind, provider), Later)
    assert isinstance(send(kind, provider), Sent)

    first, second = provider.requests
    assert first.key == second.key == first.headers["x-burnline-key"] == MESSAGE.key
    if kind == "webhook":
        assert first.headers["webhook-id"] == MESSAGE.key
    if kind == "ntfy":
        assert first.json["sequence_id"] == second.json["sequence_id"]
        assert isinstance(send(kind, provider, replace(MESSAGE, key="another")), Sent)
        assert provider.requests[2].json["sequence_id"] != first.json["sequence_id"]


@pytest.mark.parametrize("kind", OVER_HTTP)
@pytest.mark.parametrize(
    ("key", "on_the_wire"),
    [("a.b", "a%2Eb"), ("a b", "a%20b"), ("é\r\nX: y", "%C3%A9%0D%0AX:%20y"), ("0b9c8a3e-42_x:1", "0b9c8a3e-42_x:1")],
)
def test_any_key_can_be_carried(kind: str, key: str, on_the_wire: str, provider: HttpProvider) -> None:
    assert isinstance(send(kind, provider, replace(MESSAGE, key=key)), Sent)

    assert provider.requests[0].key == on_the_wire
    assert "x" not in provider.requests[0].headers


@pytest.mark.parametrize("kind", OVER_HTTP)
@pytest.mark.parametrize(
    "message",
    [
        replace(MESSAGE, subject="s" * 5000, text="ü\n" * 20_000),
        replace(MESSAGE, text="ü" * 20_000),
        replace(MESSAGE, text="", actions=(), url=""),
        replace(MESSAGE, text="", actions=()),
        replace(
            MESSAGE, actions=tuple(Action(f"Do {n} " + "x" * 200, f"https://burnline.example/{n}") for n in range(40))
        ),
        replace(MESSAGE, subject="\u202e\x00\x07 \n\r 🔥", text="\x00\x1b[31m \u2028🔥"),
        replace(MESSAGE, priority="low"),
    ],
    ids=["long", "one long line", "bare", "without text", "many actions", "odd signs", "low"],
)
def test_any_message_fits_its_provider(kind: str, message: Outgoing, provider: HttpProvider) -> None:
    assert isinstance(send(kind, provider, message), Sent)


# How providers behave


PASSING = {
    **{str(code): providers.status(code, b"sorry") for code in (408, 425, 429, 500, 501, 502, 503, 504, 507, 599)},
    "nonsense": providers.rubbish,
    "a closed connection": providers.closed,
    "nothing": lambda handler: None,
    "headers without end": providers.huge_head,
    "a huge fault": providers.huge(code=500),
    "a status of 999": lambda handler: handler.raw(b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"),
}
FOR_GOOD = {
    str(code): providers.status(code, b"no such thing") for code in (400, 401, 403, 404, 405, 410, 413, 415, 422, 451)
} | {f"{code} elsewhere": providers.redirect("http://127.0.0.1:1/", code) for code in (301, 302, 303, 307, 308)}
SLOW = {"hangs": providers.hang(), "drips": providers.drip(0.05), "never ends to continue": providers.continues}


def innocent(outcome: Outcome) -> bool:
    """Whether it tells nothing that only we and the provider know."""
    return "SECRET" not in repr(outcome) and "whsec" not in repr(outcome)


@pytest.mark.parametrize(("kind", "behaviour"), both(OVER_HTTP, PASSING))
def test_what_may_pass_is_tried_later(
    kind: str, behaviour: str, provider: HttpProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    provider.behave(PASSING[behaviour])

    outcome = send(kind, provider)

    assert isinstance(outcome, Later)
    assert outcome.retry_after is None
    assert outcome.reason.startswith("127.0.0.1 ")
    assert innocent(outcome)
    assert "SECRET" not in caplog.text
    assert len(provider.requests) == 1


@pytest.mark.parametrize(("kind", "behaviour"), both(OVER_HTTP, FOR_GOOD))
def test_what_will_not_pass_is_not_tried_again(kind: str, behaviour: str, provider: HttpProvider) -> None:
    provider.behave(FOR_GOOD[behaviour])

    outcome = send(kind, provider)

    assert isinstance(outcome, Never)
    assert outcome.reason.startswith(f"127.0.0.1 answered {behaviour[:3]}.")
    assert innocent(outcome)
    assert len(provider.requests) == 1


@pytest.mark.parametrize(("kind", "behaviour"), both(OVER_HTTP, SLOW))
def test_a_slow_provider_is_left_in_time(
    kind: str, behaviour: str, provider: HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "TOTAL", 0.4)
    provider.behave(SLOW[behaviour])
    begun = time.monotonic()

    outcome = send(kind, provider)

    assert time.monotonic() - begun < 3
    assert outcome == Later("127.0.0.1 took longer than 0.4 seconds.")


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_nobody_listening_is_tried_later(kind: str, provider: HttpProvider) -> None:
    gone = target(kind, provider)
    provider.close()

    assert CHANNELS[kind].send(MESSAGE, gone) == Later("127.0.0.1 does not take connections.")


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_an_address_that_became_private_is_refused_for_good(
    kind: str, provider: HttpProvider, settings: Settings
) -> None:
    before = target(kind, provider)
    settings.ENV = settings.ENV.model_copy(update={"private_networks": ""})

    outcome = CHANNELS[kind].send(MESSAGE, before)

    assert isinstance(outcome, Never)
    assert "not at a public address" in outcome.reason
    assert provider.connections == 0


ODD_YES = {
    "a guest network": providers.rubbish_body(),
    "an empty yes": providers.status(200),
    "a yes that is huge": providers.huge(),
    "a yes that is cut": providers.cut_short,
    "a page": providers.status(200, b"<html>ok</html>", Content_Type="text/html"),
    "no content": providers.status(204),
}


@pytest.mark.parametrize(("kind", "behaviour"), both(OVER_HTTP, ODD_YES))
def test_a_yes_with_rubbish_counts_where_the_protocol_has_no_other_word(
    kind: str, behaviour: str, provider: HttpProvider
) -> None:
    provider.behave(ODD_YES[behaviour])

    outcome = send(kind, provider)

    assert isinstance(outcome, Sent if kind in ("webhook", "teams") else Later)
    assert innocent(outcome)


def test_an_old_connector_of_teams_hides_its_faults_in_a_yes(provider: HttpProvider) -> None:
    said = (
        b"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error %d with ContextId x"
    )
    provider.behave(providers.status(200, said % 429), providers.status(200, said % 404), providers.status(200, b"1"))

    assert send("teams", provider) == Later("127.0.0.1 answered 429.")
    assert send("teams", provider) == Never("127.0.0.1 answered 404.")
    assert isinstance(send("teams", provider), Sent)


# Patience


@pytest.mark.parametrize(("kind", "code"), both(OVER_HTTP, (429, 503, 408, 500)))
def test_patience_is_given_as_asked_in_seconds(kind: str, code: int, provider: HttpProvider) -> None:
    provider.behave(providers.too_many("37", code))

    assert send(kind, provider) == Later(f"127.0.0.1 answered {code}.", 37.0)


@pytest.mark.parametrize("kind", OVER_HTTP)
def test_patience_is_given_as_asked_until_a_date(kind: str, provider: HttpProvider) -> None:
    provider.behave(providers.too_many_until(90))

    outcome = send(kind, provider)

    assert isinstance(outcome, Later)
    assert outcome.retry_after is not None
    assert 88 <= outcome.retry_after <= 91


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("86400", 86400),
        ("86401", 86400),
        ("9" * 400, 86400),
        (format_datetime(NOW + timedelta(seconds=61.2), usegmt=True), 61),
        (format_datetime(NOW + timedelta(days=9), usegmt=True), 86400),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 0),
        ("Sunday, 22-Nov-26 03:08:09 GMT", 60),
        ("Sun, 22 Nov 2026 05:08:09 +0200", 60),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Sun, 99 Nov 2026 99:99:99 GMT", None),
    ],
)
def test_every_form_of_retry_after_is_understood_and_capped(asked: str, seconds: float | None) -> None:
    assert posting.wait(asked, now=NOW) == seconds


# Addresses


@pytest.mark.parametrize(
    ("kind", "typed", "kept", "lane", "masked"),
    [
        (
            "slack",
            " https://Hooks.Slack.com/services/T0/B0/xX ",
            "https://hooks.slack.com/services/T0/B0/xX",
            "slack:hooks.slack.com",
            "hooks.slack.com/…",
        ),
        (
            "slack",
            "http://127.0.0.1:8065/hooks/abc",
            "http://127.0.0.1:8065/hooks/abc",
            "slack:127.0.0.1:8065",
            "127.0.0.1:8065/…",
        ),
        (
            "teams",
            "https://prod-1.westeurope.logic.azure.com:443/workflows/a/triggers/manual/paths/invoke?sp=%2Ft%2Frun&sig=x-_y",
            "https://prod-1.westeurope.logic.azure.com/workflows/a/triggers/manual/paths/invoke?sp=%2Ft%2Frun&sig=x-_y",
            "teams:prod-1.westeurope.logic.azure.com",
            "prod-1.westeurope.logic.azure.com/…",
        ),
        ("ntfy", "https://ntfy.sh/my_Topic-1/", "https://ntfy.sh/my_Topic-1", "ntfy:ntfy.sh", "ntfy.sh/…"),
        ("webhook", "https://example.com", "https://example.com/", "webhook:example.com", "example.com/…"),
    ],
)
def test_an_address_is_kept_in_one_spelling_and_shown_without_its_path(
    kind: str, typed: str, kept: str, lane: str, masked: str
) -> None:
    channel = CHANNELS[kind]

    assert channel.check(typed) == kept
    assert channel.check(kept) == kept
    assert (channel.lane(kept), channel.masked(kept)) == (lane, masked)


def test_each_channel_tells_what_it_is() -> None:
    for kind, channel in CHANNELS.items():
        assert channel.kind == kind
        assert channel.label
        assert channel.address_label
        assert channel.check(channel.address_example.replace("…", "a"))
        assert bool(channel.secret_label) or not channel.new_secret()
        assert channel.makes_secret == bool(channel.new_secret())
        assert channel.check_secret(channel.new_secret()) == channel.new_secret() or channel.makes_secret
    assert {kind for kind, channel in CHANNELS.items() if channel.usable()} == {"slack", "teams", "ntfy", "webhook"}


def test_each_signing_secret_is_another() -> None:
    made = {webhook.Webhook().new_secret() for _ in range(50)}

    assert len(made) == 50
    assert all(webhook.Webhook().check_secret(secret) == secret for secret in made)


def test_a_target_tells_nothing_of_itself() -> None:
    assert "SECRET" not in repr(Target("https://hooks.slack.com/SECRET", "whsec_SECRET"))
