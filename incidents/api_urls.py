"""REST of incidents, below /api/v1/."""

from django.urls import path

from incidents import api, api_live, api_slos

urlpatterns = [
    path("events/", api_live.Events.as_view(), name="api-events"),
    path("incidents/", api.Incidents.as_view(), name="api-incident-list"),
    path("incidents/<int:number>/", api.OneIncident.as_view(), name="api-incident-detail"),
    path("incidents/<int:number>/status/", api.IncidentStatus.as_view(), name="api-incident-status"),
    path("incidents/<int:number>/timeline/", api.Timeline.as_view(), name="api-incident-timeline"),
    path(
        "incidents/<int:number>/timeline/<int:seq>/mark/",
        api.MarkEntry.as_view(),
        name="api-incident-timeline-mark",
    ),
    path("incidents/<int:number>/responders/", api.Responders.as_view(), name="api-incident-responders"),
    path(
        "incidents/<int:number>/responders/<int:pk>/leave/",
        api.LeaveIncident.as_view(),
        name="api-incident-responder-leave",
    ),
    path("incidents/<int:number>/slos/", api_slos.IncidentSlos.as_view(), name="api-incident-slos"),
]
