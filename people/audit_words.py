"""The audit log in words: a sentence for every event, and what changed from what to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch, reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from people.audit import ANONYMOUS, MASK, Action
from people.models import AuditEvent

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

# {actor} and {name} are filled with what people wrote, marked as theirs.
_SENTENCES: dict[Action, StrOrPromise] = {
    Action.SIGNED_IN: gettext_lazy("{actor} signed in"),
    Action.SIGN_IN_REFUSED: gettext_lazy("A sign-in as {name} was refused"),
    Action.SIGNED_OUT: gettext_lazy("{actor} signed out"),
    Action.SESSION_ENDED: gettext_lazy("{actor} ended a session of {name}"),
    Action.ACCESS_REFUSED: gettext_lazy("{actor} was refused {name}"),
    Action.PASSWORD_CHANGED: gettext_lazy("{actor} set the password of {name}"),
    Action.PASSWORD_RESET_ASKED: gettext_lazy("A new password was asked for {name}"),
    Action.PASSWORD_RESET: gettext_lazy("{name} set a new password by mail"),
    Action.SECOND_FACTOR_ADDED: gettext_lazy("{actor} added a second factor of {name}"),
    Action.SECOND_FACTOR_REMOVED: gettext_lazy("{actor} removed a second factor of {name}"),
    Action.RECOVERY_CODES_MADE: gettext_lazy("{actor} made recovery codes of {name}"),
    Action.RECOVERY_CODE_USED: gettext_lazy("{actor} signed in with a recovery code"),
    Action.ACCOUNT_LINKED: gettext_lazy("{actor} linked the account {name}"),
    Action.ACCOUNT_UNLINKED: gettext_lazy("{actor} unlinked the account {name}"),
    Action.PERSON_INVITED: gettext_lazy("{actor} invited {name}"),
    Action.INVITATION_WITHDRAWN: gettext_lazy("{actor} withdrew the invitation of {name}"),
    Action.INVITATION_ACCEPTED: gettext_lazy("{name} accepted an invitation"),
    Action.PERSON_ADDED: gettext_lazy("{actor} added {name}"),
    Action.PERSON_CHANGED: gettext_lazy("{actor} changed {name}"),
    Action.PERSON_ROLE_CHANGED: gettext_lazy("{actor} changed what {name} may do"),
    Action.PERSON_DEACTIVATED: gettext_lazy("{actor} deactivated {name}"),
    Action.PERSON_REACTIVATED: gettext_lazy("{actor} reactivated {name}"),
    Action.TEAM_ADDED: gettext_lazy("{actor} added the team {name}"),
    Action.TEAM_CHANGED: gettext_lazy("{actor} changed the team {name}"),
    Action.DISCIPLINE_ADDED: gettext_lazy("{actor} added the discipline {name}"),
    Action.DISCIPLINE_CHANGED: gettext_lazy("{actor} changed the discipline {name}"),
    Action.ROLE_ADDED: gettext_lazy("{actor} added the incident role {name}"),
    Action.ROLE_CHANGED: gettext_lazy("{actor} changed the incident role {name}"),
    Action.TOKEN_ISSUED: gettext_lazy("{actor} made the token {name}"),
    Action.TOKEN_REVOKED: gettext_lazy("{actor} revoked the token {name}"),
    Action.METHOD_ADDED: gettext_lazy("{actor} added the contact method {name}"),
    Action.METHOD_CHANGED: gettext_lazy("{actor} changed the contact method {name}"),
    Action.METHOD_REMOVED: gettext_lazy("{actor} removed the contact method {name}"),
    Action.INTEGRATION_ADDED: gettext_lazy("{actor} added the integration {name}"),
    Action.INTEGRATION_CHANGED: gettext_lazy("{actor} changed the integration {name}"),
    Action.INTEGRATION_ROTATED: gettext_lazy("{actor} made a new token for the integration {name}"),
    Action.INTEGRATION_OLD_TOKEN_ENDED: gettext_lazy("{actor} ended the old token of the integration {name}"),
    Action.ROUTES_CHANGED: gettext_lazy("{actor} changed the routes of the integration {name}"),
    Action.HEARTBEAT_REMOVED: gettext_lazy("{actor} expects a heartbeat of the integration {name} no more"),
    Action.DELIVERY_REPLAYED: gettext_lazy("{actor} took a delivery of the integration {name} in again"),
    Action.INTEGRATION_TESTED: gettext_lazy("{actor} sent a test alert through the integration {name}"),
    Action.INTEGRATION_DEACTIVATED: gettext_lazy("{actor} switched off the integration {name}"),
    Action.INTEGRATION_REACTIVATED: gettext_lazy("{actor} switched on the integration {name}"),
    Action.SERVICE_ADDED: gettext_lazy("{actor} added the service {name}"),
    Action.SERVICE_CHANGED: gettext_lazy("{actor} changed the service {name}"),
    Action.MODEL_ADDED: gettext_lazy("{actor} added the model {name}"),
    Action.MODEL_CHANGED: gettext_lazy("{actor} changed the model {name}"),
    Action.SLO_ADDED: gettext_lazy("{actor} added the SLO {name}"),
    Action.SLO_CHANGED: gettext_lazy("{actor} changed the SLO {name}"),
    Action.INCIDENT_PRIVACY_CHANGED: gettext_lazy("{actor} changed who sees {name}"),
    Action.INCIDENT_MOMENTS_CORRECTED: gettext_lazy("{actor} corrected the figures of {name}"),
    Action.MESSAGE_RETRIED: gettext_lazy("{actor} had the message “{name}” sent again"),
    Action.WORK_RETRIED: gettext_lazy("{actor} had {name} tried again"),
    Action.EXPORTED: gettext_lazy("{actor} exported {name}"),
    Action.SETTINGS_CHANGED: gettext_lazy("{actor} changed the settings"),
}

# The same where somebody does it to themselves.
_OF_THEMSELVES: dict[Action, StrOrPromise] = {
    Action.SESSION_ENDED: gettext_lazy("{actor} ended a session of their own"),
    Action.PASSWORD_CHANGED: gettext_lazy("{actor} changed their password"),
    Action.SECOND_FACTOR_ADDED: gettext_lazy("{actor} added a second factor"),
    Action.SECOND_FACTOR_REMOVED: gettext_lazy("{actor} removed a second factor of their own"),
    Action.RECOVERY_CODES_MADE: gettext_lazy("{actor} made new recovery codes"),
    Action.PERSON_CHANGED: gettext_lazy("{actor} changed their account"),
    Action.PERSON_ROLE_CHANGED: gettext_lazy("{actor} changed what they themselves may do"),
    Action.PERSON_DEACTIVATED: gettext_lazy("{actor} deactivated themselves"),
}

_FIELDS: dict[str, StrOrPromise] = {
    "acknowledged_at": pgettext_lazy("a moment", "acknowledged"),
    "channel": gettext_lazy("channel"),
    "depends_on": gettext_lazy("depends on"),
    "detected_at": gettext_lazy("detected"),
    "discipline": gettext_lazy("discipline"),
    "email": gettext_lazy("e-mail"),
    "expires_at": gettext_lazy("expires"),
    "filters": gettext_lazy("filters"),
    "form": gettext_lazy("form"),
    "further_refusals": gettext_lazy("further refusals"),
    "hint": gettext_lazy("begins with"),
    "is_active": gettext_lazy("active"),
    "routes": gettext_lazy("routes"),
    "repeat_interval": gettext_lazy("repeat interval"),
    "stale_resolves_after": gettext_lazy("time after which unconfirmed alerts resolve"),
    "heartbeat": gettext_lazy("heartbeat"),
    "delivery": gettext_lazy("delivery"),
    "replay": gettext_lazy("delivery that was made"),
    "is_admin": gettext_lazy("administrator"),
    "is_drill": gettext_lazy("drill"),
    "is_exclusive": gettext_lazy("one person at a time"),
    "is_private": gettext_lazy("private"),
    "is_retired": gettext_lazy("retired"),
    "kind": gettext_lazy("kind"),
    "label": gettext_lazy("label"),
    "labels": gettext_lazy("labels"),
    "method": gettext_lazy("counted by"),
    "mitigated_at": gettext_lazy("mitigated"),
    "model": gettext_lazy("model"),
    "name": gettext_lazy("name"),
    "old_token_until": gettext_lazy("old token until"),
    "owner": gettext_lazy("owner"),
    "pieces": gettext_lazy("pieces"),
    "position": gettext_lazy("place"),
    "resolved_at": gettext_lazy("resolved"),
    "scopes": gettext_lazy("scopes"),
    "service": gettext_lazy("service"),
    "slug": gettext_lazy("slug"),
    "started_at": gettext_lazy("started"),
    "target_text": gettext_lazy("target"),
    "team": gettext_lazy("team"),
    "teams": gettext_lazy("in the team {part}"),
    "tier": gettext_lazy("tier"),
    "time_zone": gettext_lazy("time zone"),
    "to": pgettext_lazy("an address", "to"),
    "token_hint": gettext_lazy("token begins with"),
    "window_calendar": gettext_lazy("window"),
    "window_days": gettext_lazy("window in days"),
    "window_time_zone": gettext_lazy("time zone of the window"),
}

# What an object's page is called, and by what it is found there.
_PAGES = {
    "user": "person-edit",
    "team": "team-edit",
    "integration": "integration-detail",
    "service": "service-edit",
    "model": "model-edit",
    "slo": "slo-detail",
    "incident": "incident-detail",
    "message": "message-detail",
    "delivery": "delivery-detail",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One field, from what to what; an empty text where there was nothing."""

    field: str
    before: str
    after: str
    is_secret: bool


def sentence(event: AuditEvent) -> SafeString:
    """What happened, in a sentence; names are marked as what people wrote."""
    action = Action(event.action) if event.action in Action.values else None
    if action is None:  # of a version that is gone
        return format_html("{}: {}", event.action, _written(event.object_name))
    own = event.object_kind == "user" and event.object_id == str(event.actor_user_id)
    words = str((own and _OF_THEMSELVES.get(action)) or _SENTENCES[action])
    name = _written(event.object_name) if event.object_name else _("somebody")
    return format_html(words, actor=who(event), name=name)


def who(event: AuditEvent) -> SafeString:
    """Who did it, in bold."""
    if event.actor_type == ANONYMOUS:
        return format_html("<b>{}</b>", _("Somebody"))
    return format_html('<b dir="auto" translate="no">{}</b>', event.actor_name)


def changes(event: AuditEvent) -> list[Change]:
    """What changed, field by field, in the order in which they were told."""
    before, after = dict(_flat(event.before)), dict(_flat(event.after))
    return [
        Change(
            label,
            _value(before.get((name, label))),
            _value(after.get((name, label))),
            MASK in (before.get((name, label)), after.get((name, label))),
        )
        for name, label in {**before, **after}
    ]


def page_of(event: AuditEvent) -> str:
    """The page of what it is about; nothing where there is none."""
    route = _PAGES.get(event.object_kind, "")
    try:
        return reverse(route, args=[event.object_id]) if route and event.object_id else ""
    except NoReverseMatch:
        return ""


def _written(name: str) -> SafeString:
    return format_html('<b dir="auto" translate="no">{}</b>', name)


def _flat(fields: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Each with its name and what people call it; a field of several parts gives one for each."""
    for name, value in fields.items():
        label = str(_FIELDS.get(name, name.replace("_", " ")))
        if isinstance(value, dict) and value:
            for part, each in value.items():
                yield (name, label.format(part=part) if "{part}" in label else f"{label}: {part}"), each
        elif not isinstance(value, dict):
            yield (name, label), value


def _value(value: Any) -> str:
    match value:
        case None:
            return ""
        case True:
            return _("yes")
        case False:
            return _("no")
        case list():
            return ", ".join(map(str, value))
        case str() if len(value) > 18 and value[4:5] == "-" and (moment := _moment(value)):
            return moment
    return str(value)


def _moment(text: str) -> str:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return ""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment is not None and moment.tzinfo is not None else ""
