"""Two teams in one house, where everything that is private to one of them carries a word that nobody else may read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from allauth.mfa.totp.internal import auth as totp
from django.apps import apps
from django.db.models import Model, QuerySet

from alerts import integrations
from alerts.models import Delivery, Heartbeat, Integration
from incidents import lifecycle, responding, saving, timeline
from incidents.models import Entry, Incident
from notifications import methods, outbox
from notifications.models import Message
from people import tokens
from people.models import Team, User
from postmortems import drafting, editing, items
from slos.models import Slo
from tests import make
from tests.make import NOW, person

STEM = "zyzzyva"
WORD = re.compile(STEM + r"-\d+-\w+")  # the stem alone is what a stranger may guess, and search for
ROOMS = ("people", "catalog", "oncall", "notifications", "slos", "incidents", "alerts", "postmortems", "home", "common")


@dataclass
class World:
    """`mine` is whose readers are asked; `theirs` is the side that they may not see."""

    mine: Team
    theirs: Team
    charlie: User  # of theirs
    incident: Incident  # mine
    source: Integration  # theirs, as what they run is: everybody's to see
    slo: Slo
    own: dict[str, Any]  # what a reader of mine may name in a path, by the word before its place
    private: list[Incident] = field(default_factory=list)
    words: count[int] = field(default_factory=count)

    def word(self, of: str) -> str:
        """One that no stranger may read."""
        return f"{STEM}-{next(self.words)}-{of}"


def built(mine: Team, theirs: Team, reader: User, charlie: User) -> World:
    """A public incident of each side, with all that belongs to one."""
    service = make.service("checkout", mine)
    model = make.model("fraud", mine, service=service)
    slo = make.slo("availability", service)
    theirs_slo = make.slo("relevance", make.service("suggest", theirs))
    source, _ = make.integration("Elsewhere", team=theirs)
    incident = make.fired(source, make.alert("Slow"))
    integrations.set_routes(source, [{"name": "None", "matchers": "no=such"}], by=make.SYSTEM, now=NOW)
    labels = {"alertname": "Watchdog"}
    beat = Heartbeat.objects.create(integration=source, fingerprint="0", labels_hash="0", labels=labels, heard_at=NOW)
    incident.title, incident.team, incident.service = "Checkout is slow", mine, service
    incident.save()
    make.incident(theirs, "Search is slow")
    by = person(reader)
    responder = responding.join(incident, reader, now=NOW)
    assignment = responding.assign_role(incident, make.role("scribe"), reader, by=by, now=NOW)
    postmortem, _ = drafting.draft(incident, by=by, now=NOW)
    item = items.create(postmortem, "Alert on slowness", by=by, now=NOW, owner=reader)
    method, _ = methods.add(reader, "webhook", "https://own.example.com/hook", now=NOW)
    told = outbox.enqueue(
        key="own", to=reader, topic="test:1", subject="Look", text="Here.", kind=Message.Kind.ASKED, now=NOW
    )
    own = {
        "export": "csv",
        "second-factor": totp.TOTP.activate(reader, totp.generate_totp_secret()).instance.pk,
        "views": saving.save("Mine", "tab=all", team=None, by=by, now=NOW).pk,
        "integrations": source.slug,
        "routes": 1,
        "heartbeats": beat.pk,
        "deliveries": Delivery.objects.get().pk,
        "messages": told.pk,
        "people": reader.pk,
        "incidents": incident.number,
        "responders": responder.pk,
        "role": assignment.pk,
        "timeline": incident.entries.latest("seq").seq,
        "postmortems": incident.number,
        "sections": postmortem.sections.all()[0].key,
        "action-items": item.pk,
        "contact-methods": method.pk,
        "new": "webhook",
        "services": service.slug,
        "models": model.slug,
        "slos": slo.slug,
        "tokens": make.token(reader)[0].pk,
        "users": reader.pk,
        "teams": mine.slug,
        "vocabulary": "discipline",
        "slug": "sre",
        "disciplines": "sre",
        "roles": "scribe",
    }
    return World(mine, theirs, charlie, incident, source, theirs_slo, own)


def hide(world: World) -> Incident:
    """A private incident of the other side, with a word of its own in every text that hangs on it."""
    by, word = person(world.charlie), world.word
    labels = {"alertname": word("alert"), "instance": word("label"), "slo_id": world.slo.slug}
    group = f'{{}}:{{alertname="{word("group")}"}}'
    alert = make.alert(labels=labels, annotations={"summary": word("annotation"), "runbook_url": word("runbook")})
    incident = make.fired(world.source, alert, group=group, groupLabels={"alertname": labels["alertname"]})
    incident.is_private = True
    incident.team = world.theirs
    incident.title, incident.summary, incident.labels = word("title"), word("summary"), {"team": word("tag")}
    incident.save()

    lifecycle.acknowledge(incident, by=by, now=NOW)
    responding.join(incident, world.charlie, now=NOW)
    responding.assign_role(incident, make.role("commander"), world.charlie, by=by, now=NOW)
    for kind in (Entry.Kind.NOTE, Entry.Kind.HYPOTHESIS, Entry.Kind.DECISION, Entry.Kind.UPDATE):
        timeline.write(incident, kind, word(str(kind)), by=by, now=NOW)
    incident.refresh_from_db()
    lifecycle.move(incident, Incident.Status.RESOLVED, by=by, now=NOW + timedelta(hours=1), note=word("resolution"))

    postmortem, _ = drafting.draft(incident, by=by, now=NOW)
    for section in postmortem.sections.all():
        editing.edit_section(section, word(section.key), version=section.version, by=by, now=NOW)
    items.create(postmortem, word("item"), by=by, now=NOW, owner=world.charlie)
    methods.add(world.charlie, "webhook", f"https://{word('host')}.example.com/hook", label=word("label"), now=NOW)
    saving.save(word("view"), f"q={word('query')}", team=None, by=by, now=NOW)
    tokens.issue(world.charlie, word("token"), ["read"], by=by, now=NOW)
    outbox.enqueue(
        key=word("key"),
        to=world.charlie,
        topic=f"incident:{incident.number}",
        subject=word("subject"),
        text=word("text"),
        kind=Message.Kind.ASKED,
        now=NOW,
    )
    world.private.append(incident)
    return incident


def rows() -> Iterator[tuple[Model, dict[str, Any]]]:
    """Every row of every room, with its columns."""
    for model in models():
        found: QuerySet[Any] = model._base_manager.all()
        for row in found:
            yield row, {column.attname: getattr(row, column.attname) for column in model._meta.concrete_fields}


def hidden_rows() -> dict[str, dict[str, Any]]:
    """Those that hold such a word, by what they are."""
    return {
        f"{row._meta.label}:{row.pk}": columns for row, columns in rows() if WORD.search(repr(list(columns.values())))
    }


def names_of(world: World) -> dict[str, list[Any]]:
    """By what may stand in a path: all that names a row of the other side that nobody else may see."""
    numbers: set[int] = set()
    slugs: set[str] = set()
    uuids: set[Any] = set()
    private = {incident.pk for incident in world.private}
    for row, columns in rows():
        of_private = columns.get("incident_id") in private or (isinstance(row, Incident) and row.pk in private)
        if not of_private and not WORD.search(repr(list(columns.values()))):
            continue
        for name, value in columns.items():
            if name in ("id", "pk", "number", "seq", "postmortem_id", "section_id"):
                (numbers if isinstance(value, int) else uuids).add(value)
            elif name in ("slug", "key") and isinstance(value, str) and value:
                slugs.add(value)
    return {
        "int": sorted(numbers),
        "slug": sorted(word for word in slugs if re.fullmatch(r"[-\w]+", word)),
        "uuid": sorted(uuids, key=str),
        "str": sorted(slugs),
    }


def models() -> Iterable[type[Model]]:
    return [model for room in ROOMS if apps.is_installed(room) for model in apps.get_app_config(room).get_models()]
