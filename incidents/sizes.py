"""How much an incident says of itself at most, whoever writes it. What alerts bring is never cut. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from common.errors import Invalid

SUMMARY, LABELS, LINKS = 20_000, 100, 50


def check(said: Mapping[str, Any]) -> None:
    """Raise Invalid for a summary, labels or links that are more than people read."""
    labels, links = said.get("labels") or {}, said.get("links") or []
    faults = []
    if len(said.get("summary") or "") > SUMMARY:
        faults.append(("summary", _("At most {n} characters.").format(n=f"{SUMMARY:,}")))
    if len(labels) > LABELS or any(len(name) > 200 or len(text) > 4000 for name, text in labels.items()):
        faults.append(
            ("labels", _("At most {n}, with 200 characters for a name and 4,000 for its value.").format(n=LABELS))
        )
    if len(links) > LINKS or any(len(link["title"]) > 200 or len(link["url"]) > 2000 for link in links):
        faults.append(
            ("links", _("At most {n}, with 200 characters for a title and 2,000 for its address.").format(n=LINKS))
        )
    if faults:
        raise Invalid(_("This is more than an incident holds."), errors=faults)
