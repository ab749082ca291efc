"""The timeline as a page shows it: which entries, in which order, what is folded, corrected or starred."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from incidents import marking, wording
from incidents.models import Entry, Incident
from people.actors import ActorType
from people.models import Discipline, User

ENTRIES = 100
_AROUND = 20  # newer entries that stand before one that a link leads to
_LATE = timedelta(minutes=1)
_FOLDED_FROM = 3
Kind = Entry.Kind

SHOWS = {
    "all": gettext_lazy("All"),
    "key": gettext_lazy("Key moments"),
    "people": gettext_lazy("People"),
    "alerts": gettext_lazy("Alerts"),
}
_KINDS: Mapping[str, tuple[Kind, ...]] = {
    "key": (
        *(Kind.OPENED, Kind.STATUS_CHANGED, Kind.SEVERITY_CHANGED, Kind.DECISION, Kind.UPDATE, Kind.ALL_CLEAR),
        *(Kind.MERGED_IN, Kind.SPLIT_OFF, Kind.OBLIGATION, Kind.POSTMORTEM_STARTED, Kind.POSTMORTEM_PUBLISHED),
    ),
    "people": (
        *Entry.WRITTEN,
        *(Kind.ROLE_ASSIGNED, Kind.ROLE_ENDED, Kind.HANDOVER_OFFERED, Kind.HANDOVER_ACCEPTED),
        *(Kind.RESPONDER_ASKED, Kind.RESPONDER_JOINED, Kind.RESPONDER_LEFT),
    ),
    "alerts": (
        *(Kind.OPENED, Kind.ALERTS_FIRED, Kind.ALERTS_RESOLVED, Kind.ALL_CLEAR, Kind.ALERT_STALE),
        *(Kind.SLO_LINKED, Kind.SLO_IMPACT),
    ),
}
# What comes in runs and says little by itself: each family folds with its own.
_FAMILIES = {
    Kind.ALERTS_FIRED: "alerts",
    Kind.ALERTS_RESOLVED: "alerts",
    Kind.ALERT_STALE: "alerts",
    Kind.NOTIFIED: "messages",
    Kind.SLO_LINKED: "slos",
}


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is shown. `look`: key, person or system; `mark`: its colour on the rail."""

    entry: Entry
    sentence: wording.Sentence
    day: date
    look: str
    mark: str
    discipline: Discipline | None
    names: list[tuple[str, int]]  # of alerts and how many have it, where it lists more than one
    corrections: list[Entry]  # the oldest first
    is_starred: bool

    @property
    def is_late(self) -> bool:
        """It was written down noticeably later than it happened."""
        return self.entry.recorded_at - self.entry.at > _LATE

    @property
    def html(self) -> str:
        """What it says by now."""
        return self.corrections[-1].html if self.corrections else self.entry.html

    @property
    def history(self) -> list[Entry]:
        """What it said before it was corrected, the oldest first."""
        return [self.entry, *self.corrections[:-1]] if self.corrections else []


@dataclass(frozen=True, slots=True)
class Block:
    """One line, or several of one day that are folded into `title`; then `since` is when the first of them was."""

    lines: list[Line]
    title: str = ""

    @property
    def day(self) -> date:
        return self.lines[0].day

    @property
    def newest(self) -> Entry:
        return self.lines[0].entry

    @property
    def oldest(self) -> Entry:
        return self.lines[-1].entry


@dataclass(frozen=True, slots=True)
class Timeline:
    blocks: list[Block]  # the newest first
    show: str
    total: int
    older: int | None  # before which seq the next page begins
    is_latest: bool


def timeline(
    incident: Incident,
    disciplines: Mapping[int, Discipline | None],
    *,
    show: str,
    before: int | None,
    around: int | None,
) -> Timeline:
    """The latest ENTRIES of those that `show` names, or those before a seq, or those with one that a link leads to. By
    when it happened, within a page cut by when it was written. Four statements at most."""
    starred = marking.marked(incident)
    found = _of_show(incident.entries.select_related("actor_user__discipline").order_by("-seq"), show, starred)
    if before is None and around is not None and around <= incident.last_seq - ENTRIES:
        before = around + _AROUND
    if before is not None:
        found = found.filter(seq__lt=before)
    entries = list(found[: ENTRIES + 1])
    shown = entries[:ENTRIES]
    corrections = _corrections(incident, shown)
    lines = [_line(entry, disciplines, corrections.get(entry.seq, []), entry.seq in starred) for entry in shown]
    lines.sort(key=lambda line: (line.entry.at, line.entry.seq), reverse=True)
    return Timeline(
        blocks=list(_folded(lines)),
        show=show,
        total=incident.last_seq,
        older=shown[-1].seq if len(entries) > ENTRIES else None,
        is_latest=before is None,
    )


def _of_show(entries: QuerySet[Entry], show: str, starred: Iterable[int]) -> QuerySet[Entry]:
    """A star shows on its entry, and not as a line of its own."""
    if show not in _KINDS:
        return entries.exclude(kind=Kind.MARKED)
    wanted = Q(kind__in=_KINDS[show])
    return entries.filter(wanted | Q(seq__in=starred) if show == "key" else wanted)


def _corrections(incident: Incident, shown: Sequence[Entry]) -> dict[int, list[Entry]]:
    written = [entry.seq for entry in shown if entry.kind in Entry.WRITTEN]
    if not written:
        return {}
    found: dict[int, list[Entry]] = {}
    for entry in incident.entries.filter(amends__in=written, kind__in=Entry.WRITTEN).order_by("seq"):
        found.setdefault(entry.amends or 0, []).append(entry)
    return found


def _line(
    entry: Entry, disciplines: Mapping[int, Discipline | None], corrections: list[Entry], is_starred: bool
) -> Line:
    is_said = entry.kind in Entry.WRITTEN and not entry.amends
    return Line(
        entry=entry,
        sentence=wording.sentence(entry),
        day=timezone.localtime(entry.at).date(),
        look=("key" if entry.kind == Kind.DECISION or is_starred else "person") if is_said else "system",
        mark="star" if is_starred else _mark(entry),
        discipline=_discipline(entry, disciplines) if is_said else None,
        names=_counted(wording.alert_names(entry)),
        corrections=corrections,
        is_starred=is_starred,
    )


def _discipline(entry: Entry, disciplines: Mapping[int, Discipline | None]) -> Discipline | None:
    """The one in which they came, else their own."""
    user: User | None = entry.actor_user if entry.actor_type == ActorType.USER else None
    return (disciplines.get(user.pk) or user.discipline) if user else None


def _counted(names: list[str]) -> list[tuple[str, int]]:
    return list(Counter(names).items()) if len(names) > 1 else []


def _mark(entry: Entry) -> str:
    match entry.kind:
        case Kind.ALERTS_FIRED | Kind.OPENED | Kind.NOTIFICATION_FAILED:
            return "red"
        case Kind.ALL_CLEAR if entry.data.get("cut_off"):
            return ""
        case Kind.ALERTS_RESOLVED | Kind.ALL_CLEAR | Kind.STATUS_CHANGED:
            return "red" if entry.data.get("to") == Incident.Status.TRIGGERED else "green"
        case Kind.DECISION:
            return "star"
        case Kind.SEVERITY_CHANGED | Kind.FIELD_CHANGED | Kind.MOMENT_CORRECTED:
            return "blue"
    return ""


def _folded(lines: list[Line]) -> Iterator[Block]:
    """Runs of one family within a day as one block; the rest one by one."""
    for (_day, family), group in groupby(lines, key=lambda line: (line.day, _family(line))):
        run = list(group)
        if family and len(run) >= _FOLDED_FROM:
            yield Block(run, _title(family, run))
        else:
            yield from (Block([line]) for line in run)


def _family(line: Line) -> str:
    return "" if line.is_starred else _FAMILIES.get(Kind(line.entry.kind), "")


def _title(family: str, run: Sequence[Line]) -> str:
    count = len(run)
    if family == "messages":
        return ngettext("%(count)s message went out", "%(count)s messages went out", count) % {"count": count}
    if family == "slos":
        return ngettext("%(count)s SLO was linked", "%(count)s SLOs were linked", count) % {"count": count}
    fired = sum(wording.alert_count(line.entry) for line in run if line.entry.kind == Kind.ALERTS_FIRED)
    resolved = sum(wording.alert_count(line.entry) for line in run if line.entry.kind == Kind.ALERTS_RESOLVED)
    return _("Alerts changed %(count)s times: %(fired)s fired, %(resolved)s resolved") % {
        "count": count,
        "fired": fired,
        "resolved": resolved,
    }
