"""One's own preferences: a page of them, and the switch of the theme that every page carries."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override
from django.views.decorators.http import require_POST

from common import language
from common.forms import Form
from common.pages import tried_on
from people import preferences
from people.actors import SignedInRequest
from people.models import User


class PreferencesForm(Form):
    theme = forms.ChoiceField(choices=User.Theme.choices, label=gettext_lazy("Theme"), widget=forms.RadioSelect)
    language = forms.ChoiceField(
        choices=[("", gettext_lazy("As the browser asks")), *settings.LANGUAGES],
        label=gettext_lazy("Language"),
        required=False,
    )
    time_zone = forms.ChoiceField(
        choices=lambda: [(zone, zone.replace("_", " ")) for zone in preferences.time_zones()],
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("In which times are shown to you. UTC stands beside them on hover."),
    )
    has_keys = forms.BooleanField(
        label=gettext_lazy("Single letters do something: press ? on a page to see which"), required=False
    )
    hears_of_incidents = forms.BooleanField(
        label=gettext_lazy("Tell me of incidents that alerts open"),
        help_text=gettext_lazy(
            "Where you are responder or manager of the team that has them; admins also of those that no team has. "
            "What comes at once comes in one message."
        ),
        required=False,
    )


def show(request: SignedInRequest) -> HttpResponse:
    user = request.user
    stands = {name: getattr(user, name) for name in preferences.OF_ONE_S_OWN} | {"time_zone": user.time_zone or "UTC"}
    form = PreferencesForm(request.POST or None, initial=stands)
    if form.is_valid():
        with form.telling():
            if preferences.change(user, form.cleaned_data):
                with override(language.of(request, user.language)):
                    messages.success(request, _("Your preferences are kept."))
            return redirect("preferences")
    return render(request, "people/preferences.html", {"section": "account", "form": form}, status=form.http_status)


@require_POST
def choose_theme(request: SignedInRequest) -> HttpResponse:
    preferences.change(request.user, {"theme": request.POST.get("theme", "")})
    return redirect(tried_on(request) or "preferences")
