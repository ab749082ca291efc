"""The page behind the links of a message: it needs no sign-in and no script, and only its button changes anything."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from common.addresses import address_of
from common.errors import DomainError
from incidents import answer_links, answering
from incidents.answer_links import LABELS, Answer
from incidents.notices import moment, who_hears_that_declined
from people import throttling

_HOUR = 3600


class TooMany(DomainError):
    """Somebody tries links."""

    code = "too_many"
    status = 429
    title = "Too many attempts"


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
        "label": LABELS[link.answer],
        "other_label": next(label for each, label in LABELS.items() if each is not link.answer),
        "other": reverse("answer", args=[answer_links.other(link)]),
    }
    return render(request, "incidents/answer.html", context)


def _give(request: HttpRequest, token: str) -> HttpResponse:
    now = timezone.now()
    key = f"answer:address:{address_of(request)}"[:200]
    if not throttling.attempt(key, limit=settings.ENV.login_attempts_per_hour, seconds=_HOUR, now=now):
        raise TooMany("Too many attempts from here. Sign in, or try again in an hour.")
    answering.answer(answer_links.read(token, now=now), now=now)
    throttling.give_back(key)
    return redirect("answer", token)
