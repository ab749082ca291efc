"""The page behind the links of a message: it needs no sign-in and no script, and only its button changes anything."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.csrf import csrf_exempt

from common.addresses import address_of
from common.errors import DomainError
from incidents import answer_links, answering, page, queries
from incidents.answer_links import Answer
from incidents.models import Incident
from incidents.notices import moment, who_hears_that_declined
from people import throttling

_HOUR = 3600


class TooMany(DomainError):
    """Somebody tries links."""

    code = "too_many"
    status = 429
    title = _lazy("Too many attempts")


# No cookie says who it is, so a form of another site has nothing to use: who answers is told by the link alone. With
# no-referrer, which keeps the link to itself, browsers send no Origin that Django could compare.
@csrf_exempt
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """What the link is for; with POST, the answer is given."""
    try:
        response = _give(request, token) if request.method == "POST" else _show(request, token)
    except DomainError as refusal:
        context = {"title": refusal.title, "message": refusal.message}
        response = render(request, "incidents/answer_refused.html", context, status=refusal.status)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _show(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    link = answer_links.read(token, now=now)
    call = answering.call_of(link)
    context = {
        "call": call,
        "incident": call.incident,
        "since": moment(call.incident.since, call.user),
        "lasting": now - call.incident.since,
        "asked_at": moment(call.responder.asked_at, call.user) if call.responder.asked_at else "",
        "answered_at": moment(call.answered_at, call.user) if call.answered_at else "",
        "comes": call.answered is Answer.COMES,
        "hears": who_hears_that_declined(call.responder) if call.answered is Answer.CANNOT else "",
        "choices": _choices(link, call),
        "taken_at": moment(call.taken.at, call.user) if call.taken else "",
        "firing": queries.firing(call.incident) if call.may_see else 0,
        "runbook": page.runbook(call.incident) if call.may_see else "",
        "dashboards": page.dashboards(call.incident) if call.may_see else [],
    }
    return render(request, "incidents/answer.html", context)


def _choices(link: answer_links.Link, call: answering.Call) -> list[tuple[str, str, bool]]:
    """What each button says, where it posts, and whether it is what the link in the message was for."""
    is_taken = call.incident.status != Incident.Status.TRIGGERED
    labels = {Answer.COMES: _("I'm in") if is_taken else _("Acknowledge")}
    if not call.escalated_to:
        labels[Answer.ESCALATES] = _("Escalate")
    labels[Answer.CANNOT] = _("I can't take it")
    return [
        (label, reverse("answer", args=[answer_links.instead(link, each)]), each is link.answer)
        for each, label in labels.items()
    ]


def _give(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    key = f"answer:address:{address_of(request)}"[:200]
    if not throttling.attempt(key, limit=settings.ENV.login_attempts_per_hour, seconds=_HOUR, now=now):
        raise TooMany(_("Too many attempts from here. Sign in, or try again in an hour."))
    answering.answer(answer_links.read(token, now=now), now=now)
    throttling.give_back(key)
    return redirect("answer", token)
