"""Integrations: making them, their tokens, and the receiver that one pastes into Alertmanager."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.text import slugify
from django.utils.translation import gettext as _

from alerts import routes
from alerts.models import Integration
from common.errors import Invalid, VersionMoved
from common.text import shortened, storable
from people import access, audit
from people.actors import Actor
from people.audit import Action
from people.models import Team

LONGEST_GRACE = timedelta(days=7)  # of an old token

_TOKENS = ("token_hash", "token_hint", "old_token_hash", "old_token_hint", "old_token_until")
_TRUSTED_FOR = 5.0  # seconds that a token's integration is remembered by a process
_known: dict[str, tuple[Integration, float]] = {}


@transaction.atomic
def create(
    name: str,
    kind: str = Integration.Kind.ALERTMANAGER,
    team: Team | None = None,
    *,
    by: Actor,
    now: datetime,
) -> tuple[Integration, str]:
    """A new integration and its token, which is shown this once."""
    access.require(by, access.Act.ADMINISTER)
    name = shortened(storable(name), 100)
    if not name:
        raise Invalid(_("An integration needs a name."), errors=[("name", _("Give it a name."))])
    token = Integration.new_token()
    integration = Integration.objects.create(
        slug=_free_slug(name),
        name=name,
        kind=kind,
        team=team,
        token_hash=Integration.hash_of(token),
        token_hint=token[:8],
    )
    told = audit.values(integration, ("name", "kind", "team", "token_hint"))
    audit.record(Action.INTEGRATION_ADDED, integration, by=by, now=now, after=told)
    return integration, token


@transaction.atomic
def change(
    integration: Integration, changes: Mapping[str, Any], *, by: Actor, now: datetime, version: int | None = None
) -> bool:
    """Rename it, give it to a team, or switch it off: then its token is refused within five seconds. Switched on
    again, its signs of life are waited for from then on. False when nothing differs. Raises Invalid, VersionMoved."""
    access.require(by, access.Act.ADMINISTER)
    Integration.objects.select_for_update().filter(pk=integration.pk).exists()
    integration.refresh_from_db()
    if version is not None and version != integration.version:
        raise VersionMoved(_("{integration} was changed by somebody else.").format(integration=integration))
    wanted = {name: shortened(storable(v), 100) if isinstance(v, str) else v for name, v in changes.items()}
    before, different = audit.differences(integration, wanted)
    if not different:
        return False
    if different.get("name") == "":
        raise Invalid(_("An integration needs a name."), errors=[("name", _("Give it a name."))])
    for name, value in different.items():
        setattr(integration, name, value)
    if different.get("is_active"):
        integration.active_since = now
    integration.version += 1
    integration.save()
    action = Action.INTEGRATION_CHANGED
    if "is_active" in different:
        action = Action.INTEGRATION_REACTIVATED if integration.is_active else Action.INTEGRATION_DEACTIVATED
    audit.record(action, integration, by=by, now=now, before=before, after=different)
    transaction.on_commit(forget)
    return True


@transaction.atomic
def set_routes(integration: Integration, raw: object, *, by: Actor, now: datetime, version: int | None = None) -> bool:
    """Let these routes, from JSON, take the place of those that there are. Within five seconds every process goes by
    them. False when nothing differs. Raises Invalid, VersionMoved."""
    access.require(by, access.Act.ADMINISTER)
    Integration.objects.select_for_update().filter(pk=integration.pk).exists()
    integration.refresh_from_db()
    if version is not None and version != integration.version:
        raise VersionMoved(_("{integration} was changed by somebody else.").format(integration=integration))
    kept = routes.written(routes.read(raw))
    before = integration.routes
    if kept == before:
        return False
    integration.routes = kept
    integration.version += 1
    integration.save(update_fields=["routes", "version", "updated_at"])
    integration.__dict__.pop("table", None)
    audit.record(Action.ROUTES_CHANGED, integration, by=by, now=now, before={"routes": before}, after={"routes": kept})
    transaction.on_commit(forget)
    return True


@transaction.atomic
def rotate(integration: Integration, *, by: Actor, now: datetime, keep_old_for: timedelta = timedelta(0)) -> str:
    """A new token. The one before goes on for `keep_old_for`, a week at most, so that nothing is refused until the
    sender has the new one; else it stops within five seconds. One that was old before stops in any case."""
    access.require(by, access.Act.ADMINISTER)
    if not timedelta(0) <= keep_old_for <= LONGEST_GRACE:
        raise Invalid(_("The old token can go on for a week at most."), errors=[("keep_old_for", _("At most a week."))])
    Integration.objects.select_for_update().filter(pk=integration.pk).exists()
    integration.refresh_from_db(fields=[*_TOKENS, "version"])
    token = Integration.new_token()
    if keep_old_for:
        integration.old_token_hash, integration.old_token_hint = integration.token_hash, integration.token_hint
        integration.old_token_until = now + keep_old_for
    else:
        _forget_old(integration)
    before, after = {"token_hint": integration.token_hint}, {"token_hint": token[:8]}
    integration.token_hash, integration.token_hint = Integration.hash_of(token), token[:8]
    integration.version += 1
    integration.save(update_fields=[*_TOKENS, "version", "updated_at"])
    if keep_old_for:
        after["old_token_until"] = str(integration.old_token_until)
    audit.record(Action.INTEGRATION_ROTATED, integration, by=by, now=now, before=before, after=after)
    transaction.on_commit(forget)
    return token


@transaction.atomic
def end_old_token(integration: Integration, *, by: Actor, now: datetime) -> bool:
    """Let the token before the present one stop, within five seconds. False where none goes on."""
    access.require(by, access.Act.ADMINISTER)
    Integration.objects.select_for_update().filter(pk=integration.pk).exists()
    integration.refresh_from_db(fields=[*_TOKENS, "version"])
    if integration.old_token_hash is None:
        return False
    before = {"token_hint": integration.old_token_hint}
    _forget_old(integration)
    integration.version += 1
    integration.save(update_fields=[*_TOKENS, "version", "updated_at"])
    audit.record(Action.INTEGRATION_OLD_TOKEN_ENDED, integration, by=by, now=now, before=before)
    transaction.on_commit(forget)
    return True


def _forget_old(integration: Integration) -> None:
    integration.old_token_hash, integration.old_token_hint, integration.old_token_until = None, "", None


def by_authorization(header: str) -> Integration | None:
    """The integration whose token the Authorization header carries, as Bearer or as the password of Basic."""
    token = _token_of(header)
    return _by_hash(Integration.hash_of(token)) if token else None


def remembered(header: str) -> Integration | None:
    """The same where this process knows it without asking."""
    token = _token_of(header)
    known = _known.get(Integration.hash_of(token)) if token else None
    return known[0] if known is not None and known[1] > time.monotonic() else None


def _token_of(header: str) -> str:
    scheme, _, credentials = header.partition(" ")
    token = credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(token, validate=True).decode("utf-8", "replace").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return token if scheme.lower() == "bearer" else ""


def forget() -> None:
    """Drop what this process remembers of tokens; for tests, and after a change in the same process."""
    _known.clear()


def webhook_url(integration: Integration | None = None) -> str:
    """Where it posts to; without one, where Alertmanager does."""
    is_grafana = integration is not None and integration.kind == Integration.Kind.GRAFANA
    kind = "grafana" if is_grafana else "alertmanager"
    return f"{settings.ENV.public_url}/webhooks/{kind}/"


def receiver_yaml(integration: Integration, token: str | None) -> str:
    """A receiver to paste as it is; without the token, a placeholder stands in for it. For Grafana, a contact point to
    provision."""
    token = token or f"<the token of {integration.slug}>"
    if integration.kind == Integration.Kind.GRAFANA:
        return f"""# For Grafana's provisioning/alerting; or fill the same into a contact point of type webhook.
apiVersion: 1
contactPoints:
  - orgId: 1
    name: burnline
    receivers:
      - uid: burnline
        type: webhook
        disableResolveMessage: false
        settings:
          url: {webhook_url(integration)}
          httpMethod: POST
          authorization_scheme: Bearer
          authorization_credentials: {token}
"""
    return f"""# All that alertmanager.yml needs. Have you one already? Add the receiver to yours, and a route to it.
receivers:
  - name: burnline
    webhook_configs:
      - url: {webhook_url(integration)}
        send_resolved: true
        max_alerts: 0
        http_config:
          follow_redirects: false
          authorization:
            type: Bearer
            credentials: {token}
route:
  receiver: burnline
  group_by: [alertname, service]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 1h
  routes:
    # A sign of life that comes often: where it stays away, an incident opens.
    - matchers: [alertname="{routes.WATCHDOG}"]
      repeat_interval: 5m
"""


def _by_hash(token_hash: str) -> Integration | None:
    known = _known.get(token_hash)
    if known is not None and known[1] > time.monotonic():
        return known[0]
    shown = Q(token_hash=token_hash) | Q(old_token_hash=token_hash, old_token_until__gt=Now())
    integration = Integration.objects.select_related("team").filter(shown, is_active=True).first()
    if integration is None:
        _known.pop(token_hash, None)
        return None
    _known[token_hash] = (integration, time.monotonic() + _TRUSTED_FOR)
    return integration


def _free_slug(name: str) -> str:
    base = slugify(name)[:50] or "integration"
    taken = {"new", *Integration.objects.filter(slug__startswith=base).values_list("slug", flat=True)}  # a page has it
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if slug not in taken)
