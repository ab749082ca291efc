"""What has happened in the house that the browser tests walk through: every page has something to show, and something
too long. `tests/e2e/house.py` runs it beside a started Burnline, in its environment.
"""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.conf import settings
from django.test import Client
from django.utils import timezone

from alerts import heartbeats, ingest, integrations, payload, staleness
from alerts.models import Integration
from common.models import ScheduledRun
from incidents import answer_links, lifecycle, responding, saving, timeline
from incidents.models import Entry, Incident
from notifications import methods
from people import directory, links
from people.actors import SYSTEM, person
from people.models import User
from postmortems import drafting, editing, items
from tests import make

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
RIGHT_TO_LEFT = "ירידה בדיוק המודל באזור אירופה"
MANY_WORDS = "The nightly export of features for the fraud model arrives late and incomplete in two regions " * 2
TEXT = f"## Heading\n\nWe **learned** `{LONG}`.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| {LONG} | 2 |\n\n> quote"


def happen(now: datetime) -> dict[str, list[str]]:
    """Weeks of it, up to now; and the addresses that no page links to."""
    payments, search = make.team("payments"), make.team("search")
    admin = User.objects.filter(is_admin=True).earliest("id")
    ana = make.user("Ana Long", {payments: "manager"}, discipline="sre")
    make.user("Bo", {payments: "responder", search: "viewer"}, discipline="data_science")
    make.user("Wolfeschlegelsteinhausenbergerdorff Senior", {search: "responder"}, discipline="support")
    gone_home = make.user("Not Here Yet", {search: "viewer"})
    gone = make.user("Gone", {search: "viewer"})
    directory.change_user(gone, {"is_active": False}, by=SYSTEM, now=now)

    checkout = make.service("checkout-api", payments)
    make.service(LONG.lower().replace("ä", "a")[:60], search)
    model = make.model("fraud-scorer", payments, service=checkout)
    burning = make.slo("fraud-accuracy", checkout, kind="accuracy", target="0.95", model=model)
    make.slo("checkout-availability", checkout)
    before = [(now - timedelta(hours=n), 3600, 990, 1000) for n in range(1, 100)]
    since = [(now - timedelta(minutes=5 * n), 300, 50, 80) for n in range(1, 9)]
    make.samples(burning, *before[1:], *since, now=now)

    source, _ = make.integration("Production EU", team=payments)
    labels = {"slo_id": burning.slug, "service": checkout.slug, "severity": "critical", "instance": LONG}
    fired = make.fired(
        source,
        make.alert("ModelAccuracyBurn", labels=labels, starts_at=now - timedelta(minutes=40)),
        make.alert(LONG, labels=labels, starts_at=now - timedelta(minutes=39)),
        now=now - timedelta(minutes=38),
    )
    with contextlib.suppress(payload.BadPayload):
        ingest.receive(source, b"not json <script>", now=now - timedelta(minutes=30))
    half = json.loads(make.alertmanager_body(make.alert("Half"), group="half"))
    half["alerts"].append({**make.alert("FromTheFuture"), "startsAt": "9999-12-31T23:59:59Z"})
    ingest.receive(source, json.dumps(half).encode(), now=now - timedelta(minutes=20))
    routed(source, now)

    by = person(ana)
    acknowledged = make.incident(search, RIGHT_TO_LEFT, severity="sev3", kind="drift", now=now - timedelta(hours=5))
    lifecycle.acknowledge(acknowledged, by=by, now=now - timedelta(hours=4))
    asked = responding.ask(acknowledged, admin, by=by, now=now - timedelta(minutes=3))
    mitigated = make.incident(
        payments, MANY_WORDS[:190], severity="sev2", now=now - timedelta(hours=30), service=checkout
    )
    handled(mitigated, by_whom=ana, admin=admin, now=now - timedelta(hours=29))
    resolved = make.incident(payments, f"{LONG} fails", severity="sev1", now=now - timedelta(days=3), service=checkout)
    handled(resolved, by_whom=ana, admin=admin, now=now - timedelta(days=3) + timedelta(minutes=4))
    lifecycle.move(resolved, Incident.Status.RESOLVED, by=by, now=now - timedelta(days=2))
    dismissed = make.incident(None, "A test that was no incident", severity="sev5", now=now - timedelta(days=9))
    lifecycle.move(dismissed, Incident.Status.DISMISSED, by=by, now=now - timedelta(days=9), reason="A drill.")
    for n in range(30):
        old = make.incident(payments, f"Queue {n} grows", severity="sev4", now=now - timedelta(days=20, minutes=n))
        lifecycle.move(old, Incident.Status.RESOLVED, by=by, now=now - timedelta(days=19))

    postmortem, _ = drafting.draft(resolved, by=by, now=now - timedelta(days=1))
    section = postmortem.sections.get(key="lessons")
    editing.edit_section(section, TEXT, version=section.version, by=by, now=now - timedelta(hours=3))
    for owner, title in ((ana, "Alert on late features"), (None, MANY_WORDS[:150]), (admin, LONG)):
        items.create(postmortem, title, by=by, now=now - timedelta(hours=2), owner=owner)
    drafting.draft(mitigated, by=by, now=now - timedelta(hours=1))

    method, _ = methods.add(admin, "webhook", "https://hooks.example.com/burnline", label="My own bot", now=now)
    make.token(admin, ["read"])
    view = saving.save("Mine, and a long name for it", "tab=mine", team=None, by=person(admin), now=now)
    factor = totp.TOTP.activate(admin, totp.generate_totp_secret()).instance
    invitation = links.invite(gone_home, by=person(admin), now=now)
    ScheduledRun.objects.filter(state="waiting").update(
        state="quarantined", finished_at=now, attempts=10, fault="OperationalError: the disk is full " + LONG
    )
    link = answer_links.token(asked, answer_links.Answer.COMES, "shown", now)
    return {
        "answer": [f"/answer/{link}/", "/answer/nonsense/"],
        "": ["/nowhere/"],
        "confirm": ["/account/confirm/?next=/"],
        "sign-in-code": ["/sign-in/code/"],
        "password-set": [urlsplit(links.url_of(invitation)).path],
        "route-try": [f"/settings/integrations/{source.slug}/routes/try/"],
        "saved-view-edit": [f"/incidents/views/{view.pk}/"],
        "second-factor-app": ["/account/second-factor/app/"],
        "styleguide": ["/styleguide/"],
        "second-factor-remove": [f"/account/second-factor/{factor.pk}/remove/"],
        "sign-in-passkey": ["/sign-in/passkey/"],
        "contact-method-test": [f"/account/contact-methods/{method.pk}/test/"],
        "incident-detail": [
            f"/incidents/{incident.number}/" for incident in (fired, acknowledged, mitigated, resolved)
        ],
    }


def routed(source: Integration, now: datetime) -> None:
    """Routes, and what each of them made of an alert; a sign of life that is missing, and what nobody confirms."""
    routes = [
        {"name": "Development is noise", "matchers": 'env=~"dev|test"', "does": "ignore"},
        {"name": LONG[:100], "continue": True, "matchers": "never=such", "team": "{{label.team}}"},
        {
            "name": "One for each cluster",
            "matchers": 'cluster=~".+"',
            "correlate": "labels",
            "correlate_labels": ["cluster"],
        },
        {"name": "Perhaps", "matchers": "maybe=yes", "candidate": True, "threshold": 1, "resolve": "any"},
    ]
    integrations.set_routes(source, routes, by=SYSTEM, now=now)
    for n, labels in enumerate(({"env": "dev"}, {"cluster": "eu"}, {"maybe": "yes"})):
        alert = make.alert(f"Routed{n}", labels=labels, starts_at=now - timedelta(hours=20))
        body = make.alertmanager_body(alert, group=f"routed {n}", truncatedAlerts=3)
        ingest.receive(source, body, now=now - timedelta(hours=20))
    for minutes in (125, 120):
        beat = make.alertmanager_body(make.alert("Watchdog"), group="dog")
        ingest.receive(source, beat, now=now - timedelta(minutes=minutes))
    staleness.look(now=now - timedelta(hours=1))
    heartbeats.look(now=now - timedelta(hours=1))


def handled(incident: Incident, *, by_whom: User, admin: User, now: datetime) -> None:
    by = person(by_whom)
    lifecycle.acknowledge(incident, by=by, now=now)
    responding.assign_role(incident, make.role("commander"), by_whom, by=by, now=now)
    responding.assign_role(incident, make.role("scribe"), admin, by=by, now=now)
    kinds = (Entry.Kind.NOTE, Entry.Kind.HYPOTHESIS, Entry.Kind.DECISION, Entry.Kind.ACTION, Entry.Kind.UPDATE)
    for n, kind in enumerate(kinds):
        text = f"We see **{kind.label}** of `{LONG}` with @ana.long\n\n- first\n- second {RIGHT_TO_LEFT}"
        timeline.write(incident, kind, text, by=by, now=now + timedelta(minutes=2 * n + 1))
    lifecycle.move(incident, Incident.Status.MITIGATED, by=by, now=now + timedelta(minutes=30))


def admin() -> dict[str, str]:
    """The cookies of an administrator who has just signed in."""
    client = Client()
    client.force_login(User.objects.filter(is_admin=True).earliest("id"))
    return {name: cookie.value for name, cookie in client.cookies.items()}


def half_way() -> dict[str, str]:
    """Of somebody who has shown a password, and not yet the second factor."""
    user = make.user("Half Way")
    Authenticator.objects.create(
        user=user, type=Authenticator.Type.TOTP, data={"secret": get_adapter().encrypt(totp.generate_totp_secret())}
    )
    client = Client(headers={"Host": urlsplit(settings.ENV.origin).netloc})
    client.post("/sign-in/", {"username": user.email, "password": make.PASSWORD})
    return {name: cookie.value for name, cookie in client.cookies.items()}


def tell(*, is_empty: bool) -> None:
    """Print, as JSON, a session of the administrator's, and the addresses that no page links to by their route."""
    paths = {} if is_empty else happen(timezone.now())
    readers = {"admin": admin(), **({} if is_empty else {"nobody": {}, "half-way": half_way()})}
    print(json.dumps({"readers": readers, "paths": paths}))
