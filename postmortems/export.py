"""A postmortem as one document that is complete by itself: Markdown, HTML, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from html import escape
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse
from django.utils.translation import gettext_noop

from common import language
from common import markdown as rendering
from incidents import moments
from postmortems import drawing
from postmortems.markdown_text import UNKNOWN, duration, escape_markdown, link, points, table, utc, without_html
from postmortems.models import ActionItem
from postmortems.queries import Document

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
{body}
</body>
</html>
"""

DURATIONS = {
    "to_detect": gettext_noop("To detect"),
    "to_acknowledge": gettext_noop("To acknowledge"),
    "to_mitigate": gettext_noop("To mitigate"),
    "to_resolve": gettext_noop("To resolve"),
}


def as_markdown(document: Document, *, now: datetime) -> HttpResponse:
    """The document as an answer that browsers save as a file."""
    return _file(document.postmortem.number, "md", "text/markdown; charset=utf-8", markdown(document, now=now))


def as_html(document: Document, *, now: datetime) -> HttpResponse:
    """The same as one page that needs nothing else to be read."""
    incident = document.record.incident
    with language.of_what_is_kept():
        body = "".join(rendering.render(part) for part in _parts(document, now))
    page = _PAGE.format(title=escape(f"{incident}: {incident.title}"), body=body)
    return _file(incident.number, "html", "text/html; charset=utf-8", page)


def as_json(number: int, data: Mapping[str, Any]) -> HttpResponse:
    """What the API says of it, as a file."""
    text = json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
    return _file(number, "json", "application/json", text)


def _file(number: int, extension: str, content_type: str, text: str) -> HttpResponse:
    name = f"INC-{number}-postmortem.{extension}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type=content_type, headers=headers)


def markdown(document: Document, *, now: datetime) -> str:
    """Title, facts, people, budgets, what is missing, every section, the action items, and when it was written."""
    with language.of_what_is_kept():
        return "\n\n".join(_parts(document, now)) + "\n"


def _parts(document: Document, now: datetime) -> list[str]:
    incident = document.record.incident
    parts = [
        f"# {escape_markdown(str(incident))}: {escape_markdown(incident.title)}",
        table(["Postmortem", escape_markdown(document.postmortem.get_status_display())], _facts(document)),
        "## People",
        table(drawing.PEOPLE_HEAD, drawing.people_rows(document.record))
        if document.record.responders
        else "Nobody is recorded as a responder.",
        "## Error budgets",
        table(drawing.SLO_HEAD, drawing.slo_rows(document.record.impacts))
        if document.record.impacts
        else "No SLO is linked, so what it took of an error budget is unknown.",
        *_missing(document),
    ]
    for section in document.sections:
        parts.append(f"## {escape_markdown(section.title)}")
        if section.markdown.strip():
            parts.append(without_html(section.markdown).strip())
        if section.key == "action_items" and document.items:
            parts.append(_items(document.items))
        elif not section.markdown.strip():
            parts.append("*Not written yet.*")
    version = document.postmortem.version
    parts += ["---", f"Written by Burnline at {utc(now)}, from version {version} of the postmortem."]
    return parts


def _facts(document: Document) -> Iterator[list[str]]:
    postmortem, incident = document.postmortem, document.record.incident
    yield ["Incident", link(str(incident), settings.ENV.public_url + incident.get_absolute_url())]
    yield ["Incident status", incident.get_status_display() + (", a drill" if incident.is_drill else "")]
    yield ["Severity", incident.get_severity_display()]
    yield ["Kind", incident.get_kind_display()]
    for title, row in (("Service", incident.service), ("Model", incident.model), ("Team", incident.team)):
        yield [title, escape_markdown(str(row)) if row else "–"]
    yield ["Owner", escape_markdown(postmortem.owner.name) if postmortem.owner else "–"]
    yield ["Reviewers", ", ".join(escape_markdown(user.name) for user in postmortem.reviewers.all()) or "–"]
    yield ["Due", utc(postmortem.due_at) if postmortem.due_at else "–"]
    for name, title in drawing.MOMENTS.items():
        yield [title, utc(getattr(incident, name))]
    for name, seconds in asdict(moments.durations(incident)).items():
        yield [DURATIONS[name], duration(seconds)]


def _missing(document: Document) -> Iterator[str]:
    if document.gaps:
        yield "## What is missing"
        yield points(
            f"{escape_markdown(gap.message)}{' (needed before it is published)' if gap.required else ''}"
            for gap in document.gaps
        )


def _items(items: list[ActionItem]) -> str:
    return table(
        ["Action item", "Type", "Priority", "Owner", "Team", "Due", "Status", "How we will know"],
        (
            [
                link(item.title, item.tracker) if item.tracker else escape_markdown(item.title),
                item.get_type_display(),
                item.get_priority_display(),
                escape_markdown(item.owner.name) if item.owner else UNKNOWN,
                escape_markdown(item.team.name) if item.team else "–",
                f"{item.due_on:%Y-%m-%d}" if item.due_on else "–",
                _status(item),
                escape_markdown(item.check_text, 300) or "–",
            ]
            for item in items
        ),
    )


def _status(item: ActionItem) -> str:
    return item.get_status_display() + (f": {escape_markdown(item.reason, 300)}" if item.reason else "")
