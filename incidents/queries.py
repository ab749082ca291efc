"""How what an incident burned and links to is shown."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from incidents import impact
from incidents.models import Incident
from slos.budget import Status
from slos.decimals import to_decimal_string


@dataclass(frozen=True, slots=True)
class Burn:
    """What the incident took of one SLO's budget, as decimals; None is unknown, and `why` says for what reason."""

    impact: impact.Impact
    share: str | None
    percent: str  # of the bar
    low: str | None
    high: str | None
    coverage: str | None
    why: str


def web_address(url: str) -> str:
    """The address if it is http or https, else nothing: no link of ours runs a script."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def firing(incident: Incident) -> int:
    """How many of its alerts fire."""
    return incident.alerts.firing().count()


def burn_of(burned: impact.Impact) -> Burn:
    share = burned.share
    return Burn(
        impact=burned,
        share=to_decimal_string(share),
        percent=str(min(100, round(float(share) * 100, 1))) if share is not None else "0",
        low=to_decimal_string(burned.share_low),
        high=to_decimal_string(burned.share_high),
        coverage=to_decimal_string(burned.coverage),
        why=str(_WHY.get(burned.status) or _("it cannot be told from the samples that there are")),
    )


_WHY = {
    Status.UNKNOWN: gettext_lazy("no sample covers the time of the incident"),
    Status.ZERO_BUDGET_OK: gettext_lazy("a target of 100% leaves no budget"),
    Status.ZERO_BUDGET_EXCEEDED: gettext_lazy("a target of 100% leaves no budget, and there were bad events"),
}
