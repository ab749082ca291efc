"""An incident of the demo's history, from its first alert to its end, by the functions that people's buttons call."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from alerts import ingest, payload
from alerts.models import Delivery, RawBody
from home.history.cast import Cast
from home.history.stories import Note, Story
from incidents import fields, impact, lifecycle, responding
from incidents.models import Entry, Incident, SloLink
from people.models import Role

Status = Incident.Status
Moment = tuple[datetime, Callable[[datetime], object]]

_NOTHING_ENDED = "0001-01-01T00:00:00Z"


def tell(story: Story, cast: Cast) -> Incident:
    """The incident, as it stood in the end. Needs a transaction."""
    incident = _opened(story, cast)
    for at, happens in sorted(_moments(story, cast, incident), key=lambda moment: moment[0]):
        happens(at)
    incident.refresh_from_db()
    return incident


def _opened(story: Story, cast: Cast) -> Incident:
    at = story.at(story.detected)
    if story.alert:
        delivery = _delivered(story, cast, at, is_firing=True)
        return Incident.objects.get(number=delivery.incidents[0])
    return lifecycle.declare(
        story.title,
        by=cast.actor(story.by),
        now=at,
        severity=story.severity,
        kind=story.kind,
        service=cast.services[story.service],
        model=cast.models.get(story.model),
        summary=story.summary,
        started_at=story.began_at,
        is_private=story.is_private,
        is_drill=story.is_drill,
    )


def _moments(story: Story, cast: Cast, incident: Incident) -> Iterator[Moment]:
    """All that follows the opening, each with when it happened."""
    if story.acknowledged is not None and story.commander:
        leads = cast.actor(story.commander)
        yield story.at(story.acknowledged), lambda at: lifecycle.acknowledge(incident, by=leads, now=at)
        yield story.at(story.acknowledged), lambda at: _takes(incident, "commander", story.commander, cast, at)
        for place, (who, role) in enumerate(story.people.items(), start=1):
            yield story.at(story.acknowledged + place), _role(incident, role, who, cast)
        if story.alert and story.summary:
            about = {"summary": story.summary}
            yield (
                story.at(story.acknowledged + 5),
                lambda at: fields.change(incident, about, by=leads, now=at),
            )
        yield story.at(story.acknowledged + 3), lambda at: _links(incident, story, cast, at)
    if story.handover is not None:
        minute, who = story.handover
        yield story.at(minute), lambda at: _takes(incident, "commander", who, cast, at)
    for note in story.notes:
        yield story.at(note.minute), _note(incident, note, cast)
    yield from _ends(story, cast, incident)


def _ends(story: Story, cast: Cast, incident: Incident) -> Iterator[Moment]:
    if not story.commander:
        return
    by = cast.actor(story.leader)
    if story.mitigated is not None:
        yield story.at(story.mitigated), lambda at: lifecycle.move(incident, Status.MITIGATED, by=by, now=at)
        if story.alert:
            yield story.at(story.mitigated + 2), lambda at: _delivered(story, cast, at, is_firing=False)
    if story.resolved is not None:
        yield story.at(story.resolved), lambda at: lifecycle.move(incident, Status.RESOLVED, by=by, now=at)
    if story.dismissed is not None:
        yield story.at(story.dismissed - 2), lambda at: _delivered(story, cast, at, is_firing=False)
        yield (
            story.at(story.dismissed),
            lambda at: lifecycle.move(incident, Status.DISMISSED, by=by, now=at, reason=story.reason),
        )
    if story.merged is not None:
        into = Incident.objects.get(title=story.into)
        yield (
            story.at(story.merged),
            lambda at: lifecycle.move(incident, Status.MERGED, by=cast.actor("dana"), now=at, merged_into=into),
        )


def _role(incident: Incident, role: str, who: str, cast: Cast) -> Callable[[datetime], object]:
    return lambda at: _takes(incident, role, who, cast, at)


def _takes(incident: Incident, role: str, who: str, cast: Cast, at: datetime) -> None:
    """They take the role themselves: nobody has to be told."""
    user = cast.people[who]
    responding.assign_role(incident, Role.objects.get(slug=role), user, by=cast.actor(who), now=at)


def _note(incident: Incident, note: Note, cast: Cast) -> Callable[[datetime], object]:
    kind, by = Entry.Kind(note.kind), cast.actor(note.who)
    return lambda at: responding.speak(incident, kind, note.text, by=by, now=at)


def _links(incident: Incident, story: Story, cast: Cast, at: datetime) -> None:
    """The SLOs that no alert named."""
    for slug in story.slos:
        if not incident.slo_links.filter(slo=cast.slos[slug]).exists():
            by = cast.actor(story.commander)
            impact.link(incident, cast.slos[slug], origin=SloLink.Origin.PERSON, by=by, now=at)


def _delivered(story: Story, cast: Cast, at: datetime, *, is_firing: bool) -> Delivery:
    """What Alertmanager posted: kept first, then taken in, as a large delivery is."""
    body = _body(story, at, is_firing)
    raw, _ = RawBody.objects.get_or_create(
        sha256=hashlib.sha256(body).digest(), defaults={"size": len(body), "body": body}
    )
    delivery = Delivery.objects.create(
        id=uuid.uuid5(uuid.NAMESPACE_URL, f"{story.alert} {at.isoformat()}"),
        integration=cast.source,
        received_at=at,
        outcome=Delivery.Outcome.WAITING,
        status=200,
        raw=raw,
        size=len(body),
        counts={"received": 1},
    )
    ingest.complete(delivery, payload.parse(body), (), now=at)
    delivery.refresh_from_db()
    return delivery


def _body(story: Story, at: datetime, is_firing: bool) -> bytes:
    labels = {"alertname": story.alert, "service": story.service, "severity": story.severity, "kind": story.kind}
    if story.model:
        labels["model"] = story.model
    if story.slos:
        labels["slo_id"] = next(iter(story.slos))
    annotations = {"summary": story.title, "runbook_url": f"https://runbooks.example.com/{story.alert}"}
    alert = {
        "status": "firing" if is_firing else "resolved",
        "labels": labels,
        "annotations": annotations,
        "startsAt": _instant(story.at(story.detected) - timedelta(seconds=10)),
        "endsAt": _NOTHING_ENDED if is_firing else _instant(at),
        "generatorURL": "https://prometheus.example.com/graph",
        "fingerprint": hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16],
    }
    return json.dumps(
        {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{story.alert}", service="{story.service}"}}',
            "truncatedAlerts": 0,
            "status": alert["status"],
            "receiver": "burnline",
            "groupLabels": {"alertname": story.alert, "service": story.service},
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": "https://alertmanager.example.com",
            "alerts": [alert],
        }
    ).encode()


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
