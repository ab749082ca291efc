"""The reminder of the first steps, for pages of lower rooms that know nothing of them."""

from __future__ import annotations

from typing import Any

from django import template

from home import first_steps

register = template.Library()


@register.inclusion_tag("home/_reminder.html", takes_context=True)
def first_steps_reminder(context: template.Context) -> dict[str, Any]:
    """`3 of 5`, and what is next; nothing where all is done, or hidden: then the session remembers so, and nothing is
    asked any more. Else one statement."""
    request = context["request"]
    if request.session.get(first_steps.OVER):
        return {}
    progress = first_steps.progress(request.actor)
    if not progress.is_shown:
        request.session[first_steps.OVER] = True
    return {"progress": progress, "next": progress.next, "csrf_token": context.get("csrf_token")}
