"""REST of what an incident burned: the SLOs that it is linked to, and the share of their budgets."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from common import rest
from incidents import impact
from incidents.access import incident_for
from incidents.models import SloLink
from people.authentication import actor_of
from slos.budget import Status
from slos.serializers import Events, Share, of_slo


class AttributionOut(rest.Output):
    """Shares of the budget where incidents of the SLO overlap; their `full` ones add up to more than happened."""

    full = Share(allow_null=True, help_text="All of this incident's interval: the share.")
    union = Share(allow_null=True, help_text="What happened in it and in the incidents that overlap it.")
    equal_split = Share(allow_null=True, help_text="Its part when incidents share each moment equally.")


class ImpactOut(rest.Output):
    slo = serializers.CharField(source="slo.slug")
    origin = serializers.ChoiceField(SloLink.Origin.choices)
    impact_from = rest.Instant()
    impact_to = rest.Instant(help_text="Now, while the impact goes on.")
    bad = Events(allow_null=True)
    valid = Events(allow_null=True, help_text="Of the whole window.")
    share = Share(allow_null=True, help_text="Of the window's budget; null where it is unknown.")
    share_low = Share(allow_null=True, help_text="With what is not known taken as good.")
    share_high = Share(allow_null=True, help_text="With what is not known taken as bad.")
    minutes = Share(allow_null=True, help_text="Of a total outage that would have cost the same.")
    coverage = Share(allow_null=True, help_text="How much of the interval samples cover.")
    provisional = serializers.BooleanField()
    counts = serializers.BooleanField(help_text="False for a candidate: what it burned counts once it is confirmed.")
    attribution = AttributionOut()
    status = serializers.ChoiceField([(status.value, status.name) for status in Status])
    window_from = rest.Instant(source="window.start")
    window_to = rest.Instant(source="window.end")
    postmortem_required = serializers.BooleanField(
        allow_null=True, help_text="More than a fifth of the budget, by what counts; null where it is unknown."
    )


class SloLinkIn(rest.Input):
    """Ends that are not said stay as they are; null gives them back to the incident."""

    slo = of_slo()
    impact_from = rest.Instant(required=False, allow_null=True)
    impact_to = rest.Instant(required=False, allow_null=True)


class IncidentSlos(rest.Resource[SloLink]):
    """201 for an SLO that was not linked before, 200 where its interval is set anew."""

    serializer_class = ImpactOut
    queryset = SloLink.objects.none()

    def get_queryset(self) -> QuerySet[SloLink]:
        incident = incident_for(actor_of(self.request), self.kwargs["number"])
        return incident.slo_links.select_related("incident", "slo").order_by("id")

    @extend_schema(responses=ImpactOut(many=True))
    def get(self, request: Request, number: int) -> Response:
        now = timezone.now()
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None, "every list is paginated"
        shown = impact.with_attribution(impact.measure(page, now), now)
        return self.get_paginated_response(self.get_serializer(shown, many=True).data)

    @extend_schema(request=SloLinkIn, responses={200: ImpactOut, 201: ImpactOut})
    def post(self, request: Request, number: int) -> Response:
        actor, now = actor_of(request), timezone.now()
        incident = incident_for(actor, number)
        given = self.taken(SloLinkIn)
        linked, is_new = impact.link(incident, **given, origin=SloLink.Origin.PERSON, by=actor, now=now)
        [shown] = impact.with_attribution(impact.measure([linked], now), now)
        return Response(self.get_serializer(shown).data, status=201 if is_new else 200)
