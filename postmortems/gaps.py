"""What a postmortem does not say yet, or cannot know. Pure: it looks at rows that were fetched before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from incidents.models import Incident
from postmortems import template
from postmortems.models import ActionItem, Section
from postmortems.record import Record

Kind, Severity = Incident.Kind, Incident.Severity

_SEVERE = (Severity.SEV1, Severity.SEV2)
_OF_MODELS = (Kind.QUALITY, Kind.DRIFT)
_DATA_SCIENCE = "data_science"
_DATA_SCIENTIST = "data_scientist"


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is missing. `required`: it stands in the way of publishing."""

    code: str
    section: str  # the key of the section that it belongs to
    message: str
    required: bool


def gaps(record: Record, sections: Iterable[Section], items: Sequence[ActionItem]) -> list[Gap]:
    """Everything that is missing, in the order of the document's sections."""
    found = [*_unwritten(sections), *_unknown(record), *_people(record), *_budgets(record), *_actions(record, items)]
    order = {key: place for place, key in enumerate(template.BY_KEY)}
    return sorted(found, key=lambda gap: (order.get(gap.section, len(order)), not gap.required))


def _unwritten(sections: Iterable[Section]) -> Iterator[Gap]:
    for section in sections:
        if section.state == Section.State.EMPTY and section.key != "action_items":
            yield Gap(
                "section_empty",
                section.key,
                _("Nothing is written yet under “%(title)s”.") % {"title": section.heading},
                section.is_required,
            )


def _unknown(record: Record) -> Iterator[Gap]:
    incident = record.incident
    if incident.started_at is None:
        yield Gap("start_unknown", "impact", _("When the impact started is not known."), True)
    if incident.detected_at is None:
        yield Gap("detection_unknown", "detection", _("When it was detected is not known."), True)
    if incident.acknowledged_at is None:
        yield Gap("never_acknowledged", "response", _("Nobody acknowledged it."), False)
    if incident.mitigated_at is None:
        yield Gap("mitigation_unknown", "resolution", _("When it was mitigated is not known."), False)
    if incident.resolved_at is None:
        yield Gap("not_resolved", "resolution", _("It is not resolved."), True)


def _people(record: Record) -> Iterator[Gap]:
    incident = record.incident
    held = {assignment.role.slug for assignment in record.roles}
    disciplines = {responder.discipline.slug for responder in record.responders if responder.discipline}
    if "commander" not in held:
        yield Gap("no_commander", "response", _("Nobody was its commander."), incident.severity in _SEVERE)
    if not record.responders:
        yield Gap("no_responders", "response", _("Nobody is recorded as a responder."), True)
    for_models = incident.kind in _OF_MODELS or incident.model_id is not None
    if for_models and _DATA_SCIENCE not in disciplines and _DATA_SCIENTIST not in held:
        required = incident.severity in _SEVERE and incident.kind in _OF_MODELS
        yield Gap("no_data_scientist", "response", _("It concerns a model, and no data scientist was in it."), required)
    if incident.kind in _OF_MODELS and incident.model_id is None:
        yield Gap("no_model", "ai_context", _("It concerns a model, and none is linked."), True)


def _budgets(record: Record) -> Iterator[Gap]:
    if not record.impacts:
        yield Gap("no_slo", "impact", _("No SLO is linked: what it took of an error budget is not known."), False)
    for burned in record.impacts:
        if burned.share is None:
            yield Gap(
                "slo_without_data",
                "impact",
                _("What it took of the budget of %(slo)s is not known.") % {"slo": burned.slo.name},
                False,
            )


def _actions(record: Record, items: Sequence[ActionItem]) -> Iterator[Gap]:
    if not items:
        yield Gap("no_action_items", "action_items", _("There is no action item."), True)
    unowned = sum(item.owner_id is None and item.status != ActionItem.Status.WONT_DO for item in items)
    if unowned:
        yield Gap(
            "action_item_without_owner",
            "action_items",
            ngettext("%(count)s action item has no owner.", "%(count)s action items have no owner.", unowned)
            % {"count": unowned},
            True,
        )
    undated = sum(item.due_on is None and item.status != ActionItem.Status.WONT_DO for item in items)
    if undated:
        yield Gap(
            "action_item_without_due_date",
            "action_items",
            ngettext("%(count)s action item has no date.", "%(count)s action items have no date.", undated)
            % {"count": undated},
            False,
        )
    spent = [burned for burned in record.impacts if burned.postmortem_required]
    if spent and not any(item.priority == ActionItem.Priority.P0 for item in items):
        message = _("It took more than a fifth of an error budget, and no action item is P0.")
        yield Gap("no_p0_action_item", "action_items", message, True)
