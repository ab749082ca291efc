"""The generated sections, drawn from the record alone: each says only what it can point to, by the seqs of entries.

Pure: no database, no clock. Text from outside (alerts, titles, names, notes) is escaped, so it shows as text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import groupby

from django.utils.translation import gettext_noop

from common import language, markdown
from incidents import moments, wording
from incidents.impact import Impact
from incidents.models import Entry, Incident, Responder
from people.actors import ActorType
from postmortems.markdown_text import (
    UNKNOWN,
    counted,
    duration,
    escape_markdown,
    events,
    link,
    percent,
    points,
    table,
    utc,
)
from postmortems.record import Record
from slos.budget import Status

_LENGTHS = (400, 160, 60, 20)  # of free text: the longest at which a section stays within what one document takes
_ROOM = markdown.MAX_BYTES * 3 // 4
_MAX_ROWS = 150
_MAX_NAMES = 50
_FOLDED_FROM = 5
_ALERT_KINDS = (Entry.Kind.ALERTS_FIRED, Entry.Kind.ALERTS_RESOLVED, Entry.Kind.ALL_CLEAR)
_TELLING = (
    *Entry.WRITTEN,
    *(Entry.Kind.OPENED, Entry.Kind.STATUS_CHANGED, Entry.Kind.SEVERITY_CHANGED, Entry.Kind.MOMENT_CORRECTED),
)
_OF_THE_DOCUMENT = (Entry.Kind.POSTMORTEM_STARTED, Entry.Kind.POSTMORTEM_PUBLISHED, Entry.Kind.MARKED)

MOMENTS = {
    "started_at": gettext_noop("Impact started"),
    "detected_at": gettext_noop("Detected"),
    "acknowledged_at": gettext_noop("Acknowledged"),
    "mitigated_at": gettext_noop("Mitigated"),
    "resolved_at": gettext_noop("Resolved"),
}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A section's Markdown, and the seqs of the entries that it rests on, in order."""

    markdown: str
    evidence: list[int]


def draw(key: str, record: Record) -> Drawn:
    """One generated section, in the installation's language whoever asks. KeyError for one that only people fill."""
    with language.of_what_is_kept():
        return _DRAWN[key](record)


def _summary(record: Record) -> Drawn:
    incident = record.incident
    about = f"{escape_markdown(str(incident))}, **{escape_markdown(incident.title)}**, is an incident of severity "
    about += (
        f"{incident.get_severity_display()}, of the kind {incident.get_kind_display().lower()}. {_standing(record)}"
    )
    lines = [about]
    if incident.is_drill:
        lines.append("It was a drill.")
    if incident.summary.strip():
        lines.append(escape_markdown(incident.summary, 2000))
    lines.append(
        points(
            [
                f"Service: {_name(incident.service)}",
                f"Model: {_name(incident.model)}",
                f"Team: {_name(incident.team)}",
            ]
        )
    )
    lines.append(f"{_detected(record)} {_lasted(record)}")
    changed = record.about("title", "summary", "severity", "kind", "service", "model", "team", "is_drill")
    sources = [record.opening, *changed, *record.of(Entry.Kind.STATUS_CHANGED)[-1:], *_ends(record)]
    return _drawn(lines, sources)


def _impact(record: Record) -> Drawn:
    lines = [_lasted(record)]
    if record.alert_names:
        firing = sum(alert.firing for alert in record.alert_names)
        total = sum(alert.times for alert in record.alert_names)
        names = counted(len(record.alert_names), "name")
        lines.append(f"{counted(total, 'alert')} of {names}, {firing or 'none'} firing.")
        lines.append(_fitting(lambda length: _alert_table(record, length)))
    else:
        lines.append("No alert belongs to this incident.")
    lines.append("What it took of the error budgets:")
    if record.impacts:
        lines.append(_slo_table(record.impacts))
    else:
        lines[-1] = "No SLO is linked, so what it took of an error budget is unknown."
    sources = [record.opening, *_ends(record), *record.of(*_ALERT_KINDS[:2], Entry.Kind.SLO_LINKED)]
    return _drawn(lines, sources)


def _alert_table(record: Record, length: int) -> str:
    return table(
        ["Alert", "Times", "Firing", "First start", "Last end", "It says"],
        (
            [
                escape_markdown(alert.name, length) or "without a name",
                str(alert.times),
                str(alert.firing),
                utc(alert.first_start),
                utc(alert.last_end) if alert.last_end else "–",
                escape_markdown(alert.says, length) or "–",
            ]
            for alert in record.alert_names[:_MAX_NAMES]
        ),
    )


def slo_rows(impacts: Iterable[Impact]) -> list[list[str]]:
    """For each linked SLO, under SLO_HEAD: what it burned, over which time that is counted, and how far it is known."""
    return [
        [
            escape_markdown(burned.slo.name),
            percent(burned.slo.target),
            percent(burned.share),
            f"{events(burned.bad)} of {events(burned.budget)}",
            f"{utc(burned.impact_from)} – {'now' if burned.link.ended_at is None else utc(burned.impact_to)}",
            _how_far_known(burned),
        ]
        for burned in impacts
    ]


SLO_HEAD = ["SLO", "Target", "Share of the budget burned", "Bad events of the budget", "Counted", "How far it is known"]


def _slo_table(impacts: Iterable[Impact]) -> str:
    return table(SLO_HEAD, slo_rows(impacts))


def _how_far_known(burned: Impact) -> str:
    words = [] if burned.counts else ["does not count, as nobody has confirmed the incident"]
    if burned.share is None:
        no_traffic = burned.status == Status.NO_TRAFFIC
        words.append("unknown: there was no traffic" if no_traffic else "unknown: there is no data to tell")
    elif burned.share_low is not None and burned.share_high is not None:
        low, high = percent(burned.share_low), percent(burned.share_high)
        words += [f"between {low} and {high}"] if low != high else []
    words.append("provisional" if burned.provisional else "final")
    return "; ".join(words)


def _timeline(record: Record) -> Drawn:
    entries = [entry for entry in record.entries if entry.kind not in _OF_THE_DOCUMENT]
    entries.sort(key=lambda entry: (entry.at, entry.seq))
    starred = record.starred
    shown = _fitting(lambda length: table(["Time (UTC)", "Entry", "Who", "What"], _rows(entries, length, starred)))
    notes = ["An entry that corrects another one names it."] if any(entry.amends for entry in entries) else []
    note = " ".join([*notes, *(["★ stands at what was starred during the incident."] if starred else [])])
    return _drawn([shown, note], entries)


def _rows(entries: list[Entry], length: int, starred: Collection[int]) -> list[list[str]]:
    """One row for each entry; runs of alert changes are folded, and where there are still too many rows, runs of
    everything that is neither a decision of people nor a change of status."""
    rows = _folded(entries, length, starred, _ALERT_KINDS.__contains__)
    if len(rows) > _MAX_ROWS:
        rows = _folded(entries, length, starred, lambda kind: kind not in _TELLING)
    if len(rows) > _MAX_ROWS:
        half = _MAX_ROWS // 2
        left_out = f"{counted(len(rows) - 2 * half, 'line')} left out here; the incident's timeline has them all"
        rows = [*rows[:half], ["…", "…", "…", left_out], *rows[-half:]]
    return rows


def _folded(
    entries: list[Entry], length: int, starred: Collection[int], is_noise: Callable[[str], bool]
) -> list[list[str]]:
    rows = []
    for noisy, group in groupby(entries, key=lambda entry: is_noise(entry.kind) and entry.seq not in starred):
        run = list(group)
        if not noisy or len(run) < _FOLDED_FROM:
            rows += [_row(entry, length, is_starred=entry.seq in starred) for entry in run]
            continue
        kinds = {kind: sum(entry.kind == kind for entry in run) for kind in dict.fromkeys(entry.kind for entry in run)}
        what = ", ".join(f"{count} × {Entry.Kind(kind).label.lower()}" for kind, count in kinds.items())
        who = ", ".join(dict.fromkeys(escape_markdown(entry.actor_name, 60) for entry in run[:3]))
        last = utc(run[-1].at).removesuffix(" UTC")
        rows.append([_time(run[0]), f"#{run[0].seq}–{run[-1].seq}", who, f"{what}, until {last}"])
    return rows


def _row(entry: Entry, length: int, *, is_starred: bool = False) -> list[str]:
    sentence = wording.sentence(entry)
    words = escape_markdown(entry.text, length)
    if entry.kind in Entry.WRITTEN:
        what = f"{entry.get_kind_display()}: {words}" + (f" (corrects #{entry.amends})" if entry.amends else "")
    else:
        what = escape_markdown(sentence.what, length)
        what += f" ({escape_markdown(sentence.detail, length)})" if sentence.detail else ""
        what += f": {words}" if words else ""
    what = f"★ {what}" if is_starred else what
    return [_time(entry), f"#{entry.seq}", escape_markdown(sentence.who or entry.actor_name, 60), what]


def _time(entry: Entry) -> str:
    return utc(entry.at).removesuffix(" UTC")


def _detection(record: Record) -> Drawn:
    incident = record.incident
    lines = [_detected(record)]
    if record.is_detected_by_alert and record.alerts_seen:
        first = record.alerts_seen[0]
        said = escape_markdown(first.says, 1000)
        lines.append(f"The alert said: {said}" if said else "The alert said nothing more.")
    took = moments.durations(incident).to_detect
    if took is not None:
        lines.append(f"From the start of the impact to its detection: {duration(took)}.")
    else:
        lines.append("How long it went unnoticed is unknown, as the start of the impact is not known.")
    fired = record.of(Entry.Kind.ALERTS_FIRED)[:1]
    return _drawn(lines, [record.opening, *fired, record.moment("started_at"), record.moment("detected_at")])


def _response(record: Record) -> Drawn:
    incident = record.incident
    acknowledged = record.move_to("acknowledged_at")
    if incident.acknowledged_at:
        by = f" by {escape_markdown(acknowledged.actor_name)}" if acknowledged else ""
        took = moments.durations(incident).to_acknowledge
        after = f", {duration(took)} after its detection" if took is not None else ""
        lines = [f"Acknowledged at {utc(incident.acknowledged_at)}{by}{after}."]
    else:
        lines = ["Nobody acknowledged it."]
    if record.responders:
        lines.append(table(PEOPLE_HEAD, people_rows(record)))
        disciplines = dict.fromkeys(r.discipline.name for r in record.responders if r.discipline)
        if disciplines:
            lines.append(f"Disciplines in the response: {', '.join(map(escape_markdown, disciplines))}.")
    else:
        lines.append("Nobody is recorded as a responder.")
    kinds = (
        *(Entry.Kind.RESPONDER_ASKED, Entry.Kind.RESPONDER_JOINED, Entry.Kind.RESPONDER_LEFT),
        *(Entry.Kind.ROLE_ASSIGNED, Entry.Kind.ROLE_ENDED),
    )
    return _drawn(lines, [record.opening, acknowledged, record.moment("acknowledged_at"), *record.of(*kinds)])


PEOPLE_HEAD = ["Who", "Discipline", "Roles", "Asked", "Joined", "Left"]


def people_rows(record: Record) -> list[list[str]]:
    """Everybody in the response, each with discipline and roles. Markdown."""
    return [
        [
            escape_markdown(responder.user.name),
            escape_markdown(responder.discipline.name) if responder.discipline else UNKNOWN,
            _roles_of(record, responder) or "–",
            *(utc(at) if at else "–" for at in (responder.asked_at, responder.joined_at, responder.left_at)),
        ]
        for responder in record.responders
    ]


def _roles_of(record: Record, responder: Responder) -> str:
    return ", ".join(
        escape_markdown(held.role.name) + (f" (until {utc(held.ended_at)})" if held.ended_at else "")
        for held in record.roles
        if held.user_id == responder.user_id
    )


def _resolution(record: Record) -> Drawn:
    took = moments.durations(record.incident)
    lines = [
        _moved(record, "mitigated_at", "Mitigated", took.to_mitigate),
        _moved(record, "resolved_at", "Resolved", took.to_resolve),
    ]
    moves = record.of(Entry.Kind.STATUS_CHANGED)
    if moves:
        lines.append(_fitting(lambda length: table(["Time (UTC)", "Entry", "Who", "What"], _rows(moves, length, ()))))
    sources = [record.opening, *moves, record.moment("mitigated_at"), record.moment("resolved_at")]
    return _drawn(lines, sources)


def _moved(record: Record, name: str, word: str, took: int | None) -> str:
    moment, entry = getattr(record.incident, name), record.move_to(name)
    if moment is None:
        return f"When it was {word.lower()} is unknown." if not record.incident.is_open else f"Not {word.lower()} yet."
    by = f" by {escape_markdown(entry.actor_name)}" if entry else ""
    since = "its start" if record.incident.started_at else "its detection"
    how_long = f", {duration(took)} after {since}" if took is not None else ""
    return f"{word} at {utc(moment)}{by}{how_long}."


def _ai_context(record: Record) -> Drawn:
    model = record.incident.model
    sources = [record.opening, *record.about("model")]
    if model is None:
        return _drawn(["No model is linked."], sources)
    served = f"served by {escape_markdown(model.service.name)}" if model.service else "whose service is not recorded"
    owned = f"team {escape_markdown(model.team.name)}" if model.team else "no team"
    line = f"Model: **{escape_markdown(model.name)}** ({escape_markdown(model.slug)}), {served}, owned by {owned}."
    scientists = [
        escape_markdown(responder.user.name)
        for responder in record.responders
        if responder.discipline and responder.discipline.slug in ("data_science", "ml_engineering", "data_engineering")
    ]
    if scientists:
        sources += record.of(Entry.Kind.RESPONDER_ASKED, Entry.Kind.RESPONDER_JOINED)
        line += f" In the response for models and data: {', '.join(scientists)}."
    return _drawn([line], sources)


def _supporting_material(record: Record) -> Drawn:
    links = [
        link(str(one.get("title") or ""), str(one.get("url") or ""))
        for one in record.incident.links[:_MAX_ROWS]
        if isinstance(one, dict)
    ]
    addresses = {alert.generator_url: alert for alert in reversed(record.alerts_seen) if alert.generator_url}
    for url, alert in reversed(addresses.items()):
        links.append(f"{link(alert.name or 'Alert', url)}, where the alert came from ({escape_markdown(alert.source)})")
    lines = [points(links)] if links else ["No link is recorded."]
    fired = record.of(Entry.Kind.ALERTS_FIRED) if addresses else []
    return _drawn(lines, [record.opening, *record.about("links"), *record.of(Entry.Kind.LINK_ADDED), *fired])


_DRAWN: dict[str, Callable[[Record], Drawn]] = {
    "summary": _summary,
    "impact": _impact,
    "timeline": _timeline,
    "detection": _detection,
    "response": _response,
    "resolution": _resolution,
    "ai_context": _ai_context,
    "supporting_material": _supporting_material,
}


def _standing(record: Record) -> str:
    incident = record.incident
    if incident.status == Incident.Status.DISMISSED:
        return f"It was dismissed: {escape_markdown(incident.reason, 500)}."
    if incident.merged_into is not None:
        return f"It was merged into {escape_markdown(str(incident.merged_into))}."
    return f"It is {incident.get_status_display().lower()}."


def _detected(record: Record) -> str:
    opening = record.opening
    by = ""
    if opening is not None and opening.actor_type == ActorType.ALERT:
        name = record.alerts_seen[0].name if record.alerts_seen else ""
        of = f"the alert **{escape_markdown(name)}**" if name else "an alert"
        by = f" by {of} from {escape_markdown(opening.actor_name)}"
    elif opening is not None and opening.actor_type != ActorType.SYSTEM:
        by = f", declared by {'the program ' if opening.actor_type == ActorType.BOT else ''}"
        by += escape_markdown(opening.actor_name)
    at = record.incident.detected_at
    return f"Detected at {utc(at)}{by}." if at else f"When it was detected is unknown{by}."


def _lasted(record: Record) -> str:
    """The impact window in words, with what is unknown of it said."""
    start, end = record.incident.started_at, record.impact_ended_at
    if start is None:
        ended = f"it ended at {utc(end)}" if end else "it has not ended"
        return f"When the impact started is unknown; {ended}."
    if end is None:
        return f"The impact started at {utc(start)} and has not ended."
    took = int((end - start).total_seconds())
    return f"The impact lasted {duration(took)}, from {utc(start)} to {utc(end)}."


def _ends(record: Record) -> list[Entry | None]:
    return [record.moment(name) for name in ("started_at", "detected_at", "mitigated_at", "resolved_at")]


def _name(row: object | None) -> str:
    return escape_markdown(str(row)) if row is not None else "not recorded"


def _drawn(paragraphs: Iterable[str], sources: Iterable[Entry | None]) -> Drawn:
    text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return Drawn(text, sorted({entry.seq for entry in sources if entry is not None}))


def _fitting(build: Callable[[int], str]) -> str:
    """What `build` makes with the longest free text that leaves it within one section's room."""
    text = ""
    for length in _LENGTHS:
        text = build(length)
        if len(text.encode()) <= _ROOM and markdown.is_renderable(text):
            break
    return text
