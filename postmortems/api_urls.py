"""REST of postmortems, below /api/v1/."""

from django.urls import path

from postmortems import api

urlpatterns = [
    path("incidents/<int:number>/postmortem/", api.OfIncident.as_view(), name="api-incident-postmortem"),
    path("postmortems/", api.Postmortems.as_view(), name="api-postmortem-list"),
    path("postmortems/<int:number>/", api.OnePostmortem.as_view(), name="api-postmortem-detail"),
    path("postmortems/<int:number>/status/", api.PostmortemStatus.as_view(), name="api-postmortem-status"),
    path("postmortems/<int:number>/sections/<slug:key>/", api.OneSection.as_view(), name="api-postmortem-section"),
    path("postmortems/<int:number>/revisions/", api.Revisions.as_view(), name="api-postmortem-revisions"),
    path("postmortems/<int:number>/export.md", api.Export.as_view(), name="api-postmortem-export-md"),
    path("postmortems/<int:number>/export.html", api.ExportHtml.as_view(), name="api-postmortem-export-html"),
    path("postmortems/<int:number>/export.json", api.ExportJson.as_view(), name="api-postmortem-export-json"),
    path("action-items/", api.ActionItems.as_view(), name="api-action-item-list"),
    path("action-items/<int:pk>/", api.OneActionItem.as_view(), name="api-action-item-detail"),
]
