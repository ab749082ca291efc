"""Every part that pages are made of, once: the source of each stands below it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.utils import timezone
from django.utils.safestring import SafeString

from common import undo
from common.forms import Form
from common.keyset import Page
from common.narrowing import Chip, Facet, Option, options
from people.actors import SignedInRequest

# By subject; each is a template of templates/styleguide/, whose comment says when to use it.
EXAMPLES = {
    "Values": ["times", "durations", "unknown", "numbers", "words_of_users", "labels"],
    "Marks": ["icons", "severity", "status", "badges", "avatars"],
    "Acts": ["buttons", "menus", "undo", "confirm", "dialog", "keys", "loading"],
    "Ways": ["tabs", "filters", "facets", "pagination", "export", "page_head"],
    "Contents": ["lists", "empty", "stepper", "timeline", "budget", "message", "form", "formats", "refreshed"],
}
SCHEMES = {"light": "Light", "dark": "Dark"}
_COMMENT = re.compile(r"\A\{# (.*?) #\}\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    about: str
    source: str
    rendered: SafeString


class ExampleForm(Form):
    name = forms.CharField(max_length=20, help_text="How it is called everywhere.")
    kind = forms.ChoiceField(choices=[("", "Choose"), ("a", "Quality"), ("b", "Data")])
    note = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    scopes = forms.MultipleChoiceField(
        choices=[("read", "Read"), ("write", "Write")], widget=forms.CheckboxSelectMultiple, required=False
    )
    is_drill = forms.BooleanField(label="Only a drill", required=False)

    def clean(self) -> None:
        raise forms.ValidationError("It cannot begin after it has ended.")


def show(request: SignedInRequest) -> HttpResponse:
    """`?scheme=` draws the parts in one of both, whatever the reader's own is. A POST does nothing, and offers undo."""
    if request.method == "POST":
        if request.POST.get("do") == "move":
            undo.offer(request, "It is moved.", url=request.path, fields={"do": "move back"})
        return redirect(request.get_full_path())
    scheme = request.GET.get("scheme", "")
    values = _values()
    parts = {part: [_example(name, values, request) for name in names] for part, names in EXAMPLES.items()}
    context = {"section": "settings", "parts": parts, "schemes": SCHEMES, "scheme": scheme if scheme in SCHEMES else ""}
    return render(request, "home/styleguide.html", context)


def _example(name: str, values: dict[str, Any], request: SignedInRequest) -> Example:
    template = get_template(f"styleguide/{name}.html")
    source = template.template.source  # type: ignore[attr-defined]
    comment = _COMMENT.match(source)
    assert comment, name
    shown = "\n".join(line for line in source[comment.end() :].splitlines() if not line.startswith("{% load"))
    return Example(name, comment[1], shown.strip(), SafeString(template.render(values, request)))


def _values() -> dict[str, Any]:
    now = timezone.now()
    steps = [
        SimpleNamespace(label="Triggered", state="done", at=now - timedelta(minutes=72), note=""),
        SimpleNamespace(label="Acknowledged", state="now", at=now - timedelta(minutes=68), note="after 4 m, Ana"),
        SimpleNamespace(label="Mitigated", state="skipped", at=None, note=""),
        SimpleNamespace(label="Resolved", state="ahead", at=None, note=""),
    ]
    return {
        "now": now,
        "earlier": now - timedelta(minutes=72),
        "later": now + timedelta(minutes=14),
        "span": timedelta(hours=26),
        "nothing": None,
        "share": "0.312",
        "promised": "0.9995",
        "burn": "14.4",
        "count": 1840,
        "name": "Ana Kovač",
        "title": "fraud-scorer approves 11% fewer good payments since the canary of v14 reached a quarter of traffic",
        "arabic": "توقف خدمة الدفع",
        "severities": [(f"sev{level}", f"SEV{level}") for level in range(1, 6)],
        "statuses": ["triggered", "acknowledged", "mitigated", "resolved", "closed", "stale", "approved"],
        "labels": {"alertname": "X", **{f"label_{n}": "a value" for n in range(7)}},
        "steps": steps,
        "chips": [Chip("Severity", "critical", "#example-facets", is_ours=False)],
        "facets": [
            Facet(
                "Severity",
                options([Option("#example-facets", is_on=True, name="critical", count="1,000+")]),
                is_ours=False,
                is_on=True,
            )
        ],
        "page": Page([], "next", "previous"),
        "form": ExampleForm({"name": "A name that is longer than it may be", "kind": ""}),
    }
