"""The incidents of incidents.toml, typed, and placed in time before a given now."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("incidents.toml")


@dataclass(frozen=True, slots=True)
class Note:
    minute: int
    who: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """An action item. `due` is days after the resolution; `outcome` is how one knows that it worked, or why not."""

    title: str
    type: str
    priority: str
    owner: str
    due: int
    status: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One incident. Its moments are minutes after `began_at`; None did not happen."""

    began_at: datetime
    title: str
    kind: str
    severity: str
    service: str
    detected: int
    model: str = ""
    alert: str = ""
    by: str = ""
    is_private: bool = False
    is_drill: bool = False
    acknowledged: int | None = None
    mitigated: int | None = None
    resolved: int | None = None
    dismissed: int | None = None
    merged: int | None = None
    reason: str = ""
    into: str = ""
    commander: str = ""
    handover: tuple[int, str] | None = None
    people: Mapping[str, str] = field(default_factory=dict)
    slos: Mapping[str, float] = field(default_factory=dict)
    summary: str = ""
    notes: tuple[Note, ...] = ()
    postmortem: str = ""
    trigger: str = ""
    factors: str = ""
    well: str = ""
    poorly: str = ""
    lucky: str = ""
    lessons: str = ""
    items: tuple[Item, ...] = ()

    @property
    def leader(self) -> str:
        """Who led it in the end."""
        return self.handover[1] if self.handover else self.commander

    def at(self, minute: int) -> datetime:
        return self.began_at + timedelta(minutes=minute)

    def burned_until(self, now: datetime) -> datetime:
        """When the impact ended; now, where it goes on."""
        return self.at(self.mitigated) if self.mitigated is not None else now


def told(now: datetime) -> list[Story]:
    """All of them, the oldest first."""
    stories = [_story(said, now) for said in tomllib.loads(FILE.read_text())["incident"]]
    return sorted(stories, key=lambda story: story.at(story.detected))


def _story(said: dict[str, Any], now: datetime) -> Story:
    days, clock = said.pop("ago")
    notes = tuple(Note(*note) for note in said.pop("notes", ()))
    items = tuple(Item(*item) for item in said.pop("items", ()))
    handover = said.pop("handover", None)
    return Story(
        began_at=_began_at(days, clock, now),
        notes=notes,
        items=items,
        handover=tuple(handover) if handover else None,
        **said,
    )


def _began_at(days: int, clock: str, now: datetime) -> datetime:
    """`14:05` is a time of that day in UTC; `-00:26` is so long before now."""
    hours, minutes = clock.removeprefix("-").split(":")
    if clock.startswith("-"):
        return now - timedelta(hours=int(hours), minutes=int(minutes))
    day = now.astimezone(UTC).date() - timedelta(days=days)
    return datetime.combine(day, time(int(hours), int(minutes)), UTC)
