"""Writing down what we run: services and models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from catalog.models import Model, Service
from common.errors import Invalid, VersionMoved
from common.text import storable
from people import access, audit
from people.actors import Actor
from people.audit import Action
from people.models import Team

Thing = TypeVar("Thing", Service, Model)


class SlugTaken(Invalid):
    """Another one has this slug."""

    code = "slug_taken"


@transaction.atomic
def add_service(
    name: str,
    *,
    by: Actor,
    now: datetime,
    slug: str = "",
    team: Team | None = None,
    tier: int = 3,
    depends_on: list[Service] | None = None,
) -> Service:
    """A new service of a team: for a manager of it, or where no team is named, of any."""
    access.require(by, access.Act.MANAGE, team)
    service = _add(Service, name, slug, team=team, tier=tier)
    service.depends_on.set(depends_on or [])
    told = {**audit.values(service, ("name", "slug", "team", "tier")), "depends_on": _named(depends_on or [])}
    audit.record(Action.SERVICE_ADDED, service, by=by, now=now, after=told)
    return service


@transaction.atomic
def add_model(
    name: str, *, by: Actor, now: datetime, slug: str = "", service: Service | None = None, team: Team | None = None
) -> Model:
    """A new model: for a manager of its team, which is the service's where none is named."""
    access.require(by, access.Act.MANAGE, team or (service.team if service else None))
    model = _add(Model, name, slug, service=service, team=team)
    told = audit.values(model, ("name", "slug", "service", "team"))
    audit.record(Action.MODEL_ADDED, model, by=by, now=now, after=told)
    return model


@transaction.atomic
def change(
    thing: Service | Model, changes: Mapping[str, Any], *, by: Actor, now: datetime, version: int | None = None
) -> bool:
    """Set fields (the slug stays). Handing it to another team takes the rights in both. False when nothing differs.

    Raises Forbidden, Invalid, VersionMoved.
    """
    type(thing)._default_manager.select_for_update().filter(pk=thing.pk).exists()
    thing.refresh_from_db()
    access.require(by, access.Act.MANAGE, thing.team)
    if version is not None and version != thing.version:
        raise VersionMoved(_("{thing} was changed by somebody else.").format(thing=thing))
    wanted: dict[str, Any] = {
        key: storable(value).strip() if isinstance(value, str) else value for key, value in changes.items()
    }
    depends_on = wanted.pop("depends_on", None)
    before, different = audit.differences(thing, wanted)
    told = dict(different)
    relinked = isinstance(thing, Service) and depends_on is not None and set(depends_on) != set(thing.depends_on.all())
    if not different and not relinked:
        return False
    if "name" in different and not different["name"]:
        raise Invalid(_("It needs a name."), errors=[("name", _("Say what it is called."))])
    if different.get("team") is not None:
        access.require(by, access.Act.MANAGE, different["team"])
    if isinstance(thing, Service) and relinked:
        if thing in depends_on:
            raise Invalid(_("A service does not depend on itself."), errors=[("depends_on", _("Not on itself."))])
        before["depends_on"], told["depends_on"] = _named(thing.depends_on.all()), _named(depends_on)
        thing.depends_on.set(depends_on)
    for key, value in different.items():
        setattr(thing, key, value)
    thing.version += 1
    thing.save()
    action = Action.SERVICE_CHANGED if isinstance(thing, Service) else Action.MODEL_CHANGED
    audit.record(action, thing, by=by, now=now, before=before, after=told)
    return True


def _named(services: Iterable[Service]) -> list[str]:
    return sorted(service.name for service in services)


def _add(model: type[Thing], name: str, slug: str, **fields: Any) -> Thing:
    name = storable(name).strip()
    if not name:
        raise Invalid(_("It needs a name."), errors=[("name", _("Say what it is called."))])
    slug = slug or slugify(name)[:60]
    if not slug or slug == "new":  # a page has that address
        raise Invalid(_("Give it another slug."), errors=[("slug", _("Letters, digits and dashes; not new."))])
    try:
        with transaction.atomic():
            return model._default_manager.create(name=name, slug=slug, **fields)
    except IntegrityError as exc:
        raise SlugTaken(
            _("There is one with the slug {slug} already.").format(slug=slug), errors=[("slug", _("Taken."))]
        ) from exc
