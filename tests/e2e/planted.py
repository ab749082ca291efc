"""What somebody who means harm would write wherever one can write: `tests/e2e/house.py` runs it beside a started
Burnline, in its environment.
"""

from __future__ import annotations

import contextlib
import json
from datetime import datetime, timedelta
from itertools import cycle, islice
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.test import Client
from django.utils import timezone

from alerts import ingest, integrations, payload
from common.errors import Invalid
from common.models import ScheduledRun
from incidents import answer_links, lifecycle, responding, saving, timeline
from incidents.models import Entry, Incident
from notifications import methods
from people import directory, tokens
from people.actors import SYSTEM, person
from people.models import Role, Session, User
from postmortems import drafting, editing, items
from slos import definitions
from tests import make
from tests.e2e import past

MARK = "data-planted"  # an attribute that no page of ours has

# Each would put an element with the mark on a page, or a link that runs.
MARKUP = (
    f"<i {MARK}>",
    f"<script {MARK}>alert(1)</script>",
    f"</script><script {MARK}>alert(1)</script>",
    f"</title><img {MARK} src=x onerror=alert(1)>",
    f"</textarea><img {MARK} src=x onerror=alert(1)>",
    f"</style><svg {MARK} onload=alert(1)>",
    f"</template><i {MARK}>",
    f"--><i {MARK}><!--",
    f"]]><i {MARK}>",
    f'"><i {MARK}>',
    f"'><i {MARK}>",
    f'" {MARK} onmouseover="alert(1)',
    f"' {MARK} onfocus='alert(1)' autofocus='",
    f"` {MARK} onclick=`alert(1)`",
    f" {MARK} onpointerenter=alert(1) x=",
    f'" {MARK} style="position:fixed;inset:0',
    f"<img {MARK} src=https://evil.example/p.png>",
    f"<iframe {MARK} srcdoc='<script>parent.alert(1)</script>'></iframe>",
    f"<svg><animate {MARK} onbegin=alert(1) attributeName=x dur=1s>",
    f"<svg><script {MARK}>alert&lpar;1&rpar;</script>",
    f"<math><mtext><table><mglyph><style><img {MARK} src=x onerror=alert(1)>",
    f"<details {MARK} open ontoggle=alert(1)>",
    f"<video {MARK}><source onerror=alert(1)></video>",
    f"<form {MARK} action=https://evil.example><button>Sign in</button></form>",
    f"<base {MARK} href=https://evil.example/>",
    f"<meta {MARK} http-equiv=refresh content='0;url=https://evil.example'>",
    f"<link {MARK} rel=stylesheet href=https://evil.example/a.css>",
    f"<object {MARK} data=javascript:alert(1)></object>",
    f"<a {MARK} href=javascript:alert(1)>press</a>",
    f"<div {MARK} hx-get=/ hx-trigger=load hx-on::load=alert(1)>",
    f"<scr<script>ipt {MARK}>alert(1)</scr</script>ipt>",
    f"&lt;i {MARK}&gt;",
    f"\\u003ci {MARK}\\u003e",
    f"{{{{ '<i {MARK}>'|safe }}}}",
    f"{{% load x %}}<i {MARK}>",
    f"\uff1ci {MARK}\uff1e",
)
ADDRESSES = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//https://a.example",
    "java\tscript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript://a.example/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "//evil.example/a",
    'https://a.example/"onmouseover="alert(1)',
)
MARKDOWN = (
    *(f"[press]({address})" for address in ADDRESSES),
    *(f"![see]({address})" for address in ADDRESSES),
    *(f"<{address}>" for address in ADDRESSES),
    f'[press](https://a.example ""{MARK} onmouseover=alert(1)")',
    f'```"{MARK} onclick=alert(1)\n<i {MARK}>\n```',
    f"`<i {MARK}>`",
    "[press][1]\n\n[1]: javascript:alert(1)",
)
TEXT = "\n\n".join((*MARKUP, *MARKDOWN))


def packed(longest: int) -> list[str]:
    """All of the markup, in as few texts as are no longer than this."""
    texts = [""]
    for each in MARKUP:
        if len(texts[-1]) + len(each) > longest:
            texts.append("")
        texts[-1] += each[:longest]
    return texts


def happen(now: datetime) -> list[str]:
    """All of it, everywhere; and the addresses to begin at."""
    names = cycle(packed(100))
    teams = [directory.add_team(name, by=SYSTEM, now=now, slug=f"team-{n}") for n, name in enumerate(islice(names, 3))]
    team = teams[0]
    directory.add_discipline(next(names), by=SYSTEM, now=now, slug="planted")
    role = directory.add_role(next(names), by=SYSTEM, now=now, slug="planted")
    people = [
        directory.add_user(
            f"p{n}@example.com", name, by=SYSTEM, now=now, password=make.PASSWORD, memberships={team: "manager"}
        )
        for n, name in enumerate(packed(150))
    ]
    admin = User.objects.filter(is_admin=True).earliest("id")
    directory.change_user(admin, {}, by=SYSTEM, now=now, memberships={team: "manager"})
    for user in people:
        tokens.issue(user, next(names), ["read"], by=SYSTEM, now=now)
    tokens.issue(admin, next(names), ["read"], by=SYSTEM, now=now)

    services = [make.service(f"service-{n}", team) for n in range(2)]
    model = make.model("model", team, service=services[0])
    for thing in (*services, model):
        type(thing)._default_manager.filter(pk=thing.pk).update(name=next(names))
        thing.refresh_from_db()
    slo = definitions.create(
        services[0], next(names), target="0.99", by=SYSTEM, now=now, slug="slo", model=model, labels={"a": next(names)}
    )
    make.samples(slo, (now - timedelta(hours=1), 300, 50, 80), now=now)

    source, _ = make.integration(next(names), team=team)
    labels = {f"l{n}": each for n, each in enumerate(MARKUP)}
    notes = {f"a{n}": each for n, each in enumerate((*MARKUP, *ADDRESSES))}
    fired = []
    for n, address in enumerate(ADDRESSES):
        alert = make.alert(
            f"{MARKUP[n]}{n}",
            labels={**labels, "slo_id": slo.slug, "n": str(n)},
            annotations={**notes, "summary": next(names), "description": TEXT[:2000], "runbook_url": address},
            starts_at=now - timedelta(minutes=40),
        )
        alert["generatorURL"] = address
        fired.append(alert)
    incident = make.fired(source, *fired, now=now - timedelta(minutes=38), externalURL=ADDRESSES[0])
    with contextlib.suppress(payload.BadPayload):
        ingest.receive(source, ("not json " + TEXT).encode(), now=now - timedelta(minutes=30))

    routes = [
        {"name": next(names)[:100], "matchers": f"never={json.dumps(MARKUP[0])}", "continue": True, "title": MARKUP[1]},
        {"name": next(names)[:100], "matchers": 'noise="yes"', "does": "ignore"},
    ]
    integrations.set_routes(source, routes, by=SYSTEM, now=now)
    ignored = make.alert(next(names), labels={**labels, "noise": "yes"})
    beat = make.alert("Watchdog", labels=labels)
    ingest.receive(source, make.alertmanager_body(ignored, beat, group=next(names)), now=now - timedelta(minutes=20))

    links = [{"title": next(names), "url": address} for address in ADDRESSES]
    declared = [
        lifecycle.declare(
            title,
            by=person(people[n % len(people)]),
            now=now - timedelta(hours=3),
            summary=TEXT[:3000],
            team=team,
            service=services[n % 2],
            model=model,
            labels=labels,
            links=links,
        )
        for n, title in enumerate(packed(290))
    ]
    for one in (incident, declared[0]):
        handled(one, role=role, people=people, admin=admin, now=now - timedelta(minutes=20))
    called = responding.ask(declared[2], admin, by=person(people[0]), now=now - timedelta(minutes=3))
    lifecycle.move(
        declared[1], Incident.Status.DISMISSED, by=person(people[0]), now=now - timedelta(hours=1), reason=TEXT[:900]
    )

    by = person(admin)
    postmortem, _ = drafting.draft(declared[0], by=by, now=now - timedelta(minutes=9))
    for section in postmortem.sections.all():
        editing.edit_section(section, TEXT, version=section.version, by=by, now=now - timedelta(minutes=8))
    for n, each in enumerate(MARKUP):
        owner = people[n % len(people)]
        item = items.create(postmortem, each, by=by, now=now - timedelta(minutes=7), owner=owner)
        with contextlib.suppress(Invalid):
            items.change(item, {"tracker": ADDRESSES[n % len(ADDRESSES)]}, by=by, now=now - timedelta(minutes=6))

    for n, name in enumerate(packed(60)):
        if n < methods.MOST - 1:
            method, _ = methods.add(admin, "webhook", f"https://hooks.example.com/{n}", label=name, now=now)
        view = saving.save(f"{n}{name}"[:60], "tab=mine&q=" + quote(name), team=None, by=by, now=now)
    ScheduledRun.objects.filter(state="waiting").update(
        state="quarantined", finished_at=now, attempts=10, fault=TEXT[:900]
    )
    come_from_strange_places(admin)
    answered = [f"/{quote(each)}/" for each in MARKUP[:3]]
    asked = [f"/incidents/?q={quote(each)}&severity={quote(each)}" for each in packed(300)]
    led = [f"{form}?next={quote(each)}" for each in ADDRESSES for form in ("/sign-in/", "/account/confirm/")]
    link = answer_links.token(called, answer_links.Answer.COMES, "shown", now)
    unlinked = [f"/answer/{link}/", f"/incidents/views/{view.pk}/", f"/account/contact-methods/{method.pk}/test/"]
    unlinked += ["/styleguide/", "/sign-in/passkey/"]
    shown = [*(one.get_absolute_url() for one in (incident, *declared[:2])), postmortem.get_absolute_url()]
    return [*unlinked, *answered, *asked, *led, *shown]


def handled(incident: Incident, *, role: Role, people: list[User], admin: User, now: datetime) -> None:
    lifecycle.acknowledge(incident, by=person(people[0]), now=now)
    responding.assign_role(incident, role, people[1], by=person(people[0]), now=now)
    responding.assign_role(incident, make.role("commander"), admin, by=person(people[0]), now=now)
    for n, kind in enumerate(Entry.WRITTEN):
        timeline.write(incident, Entry.Kind(kind), TEXT, by=person(people[n % len(people)]), now=now)


def come_from_strange_places(admin: User) -> None:
    """Browsers that say anything of themselves, right and wrong passwords."""
    for n, text in enumerate(packed(290)):
        client = Client(
            headers={"Host": urlsplit(settings.ENV.origin).netloc, "User-Agent": text, "X-Request-Id": text}
        )
        client.post("/sign-in/", {"username": f"p{n}@example.com", "password": make.PASSWORD})
        client.post("/sign-in/", {"username": text[:200], "password": "wrong"})
        client.force_login(admin)
        Session.objects.filter(pk=client.session.session_key).update(agent=text, address=text[:64])


def tell() -> None:
    """Print, as JSON, a session of the administrator's, and where to begin."""
    paths = happen(timezone.now())
    print(json.dumps({"readers": {"admin": past.admin(), "nobody": {}}, "paths": {"": paths}}))
