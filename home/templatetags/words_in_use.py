"""How often the words for disciplines and roles are used, for a page of a lower room that knows no incidents."""

from __future__ import annotations

from django import template
from django.db.models import Count
from django.utils.translation import ngettext

from incidents.models import RoleAssignment
from people.models import Discipline, Role, User

register = template.Library()


@register.simple_tag
def uses_of_words(kind: str) -> dict[int, str]:
    """By id of the word: how many people are trained in it, or in how many incidents it was held,
    of those that everybody may see. One statement."""
    if kind == "discipline":
        people = User.objects.exclude(discipline=None).order_by().values_list("discipline").annotate(n=Count("pk"))
        return {pk: ngettext("%(n)d person", "%(n)d people", n) % {"n": n} for pk, n in people}
    held = (
        RoleAssignment.objects.filter(incident__is_private=False)
        .order_by()
        .values_list("role")
        .annotate(n=Count("incident", distinct=True))
    )
    return {pk: ngettext("in %(n)d incident", "in %(n)d incidents", n) % {"n": n} for pk, n in held}


@register.filter
def use_of(uses: dict[int, str], word: Discipline | Role) -> str:
    """Of one of the words; nothing where it was never used."""
    return uses.get(word.pk, "")
