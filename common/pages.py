"""Refusals that no view of ours gave: an HTML page for people, a problem document for programs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from common import language, problems
from common.errors import DomainError


def refusal(request: HttpRequest, error: DomainError) -> HttpResponse:
    """What the product said no to, in its own words."""
    if problems.about(request):
        return problems.refusal(error)
    context = {
        "status": error.status,
        "title": error.title,
        "message": error.message,
        "errors": error.errors,
        "allowed": error.extra.get("allowed"),
        "back": tried_on(request),
    }
    return render(request, "errors/error.html", context, status=error.status)


def tried_on(request: HttpRequest) -> str:
    """The page of ours whose form was refused, or nothing."""
    page = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if is_ours and request.method == "POST" else ""


def busy(request: HttpRequest) -> HttpResponse:
    """The database could not be reached, or was locked for too long. Asks nothing of it."""
    if problems.about(request):
        return problems.busy()
    return HttpResponse(
        render_to_string("errors/503.html"), status=503, headers={"Retry-After": str(problems.BUSY_RETRY_AFTER)}
    )


def csrf_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    if problems.about(request):
        return problems.response(403, "csrf", "The CSRF token is missing or wrong.")
    message = _("This form is no longer valid, or cookies are off. Go back, load the page again and repeat.")
    return render(request, "errors/403.html", {"message": message}, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django found suspicious, a wrong host included: so neither session nor address is trusted here."""
    if problems.about(request):
        return problems.response(400, "malformed", "The request cannot be used.")
    with translation.override(language.of(request)):
        return HttpResponse(render_to_string("errors/400.html"), status=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    if problems.about(request):
        return problems.response(403, "forbidden", "Your role or your token's scope does not allow this.")
    return render(request, "errors/403.html", {"message": str(exception)}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if problems.about(request):
        hint = "" if request.path.endswith("/") else " Addresses end with a slash."
        return problems.response(404, "not_found", f"There is nothing here, or nothing that you may see.{hint}")
    return render(request, "errors/404.html", status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Something nobody expected. Asks neither the database nor a context, as one of them may be what failed."""
    if problems.about(request):
        return problems.response(500, "broken", "Something broke on our side; the log has it.")
    return HttpResponse(render_to_string("errors/500.html"), status=500)
