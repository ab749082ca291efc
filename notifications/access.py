"""The contact method or message that this person may look at, or 404."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext as _

from notifications.models import ContactMethod, Message
from people.models import User


def method_for(user: User, pk: int) -> ContactMethod:
    """One of their own; nobody sees those of others."""
    found: ContactMethod | None = user.contact_methods.filter(pk=pk).first() if pk < 2**63 else None
    if found is None:
        raise Http404(_("There is no such contact method of yours."))
    return found


def message_for(pk: UUID) -> Message:
    """With who is told. Messages are for admins, whom the matrix lets pass."""
    found = Message.objects.select_related("user").filter(pk=pk).first()
    if found is None:
        raise Http404(_("There is no such message."))
    return found
