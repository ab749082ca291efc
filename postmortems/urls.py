"""Pages of postmortems."""

from django.urls import path

from postmortems import exports, views

urlpatterns = [
    path("incidents/<int:number>/postmortem/", views.incident_postmortem, name="incident-postmortem"),
    path("postmortems/", views.postmortem_list, name="postmortem-list"),
    path("postmortems/<int:number>/", views.postmortem_detail, name="postmortem-detail"),
    path("postmortems/<int:number>/status/", views.postmortem_status, name="postmortem-status"),
    path("postmortems/<int:number>/people/", views.postmortem_assign, name="postmortem-assign"),
    path("postmortems/<int:number>/preview/", views.postmortem_preview, name="postmortem-preview"),
    path("postmortems/<int:number>/sections/<slug:key>/", views.postmortem_section, name="postmortem-section"),
    path("postmortems/<int:number>/revisions/", views.postmortem_revisions, name="postmortem-revisions"),
    path("postmortems/<int:number>/export.md", views.postmortem_export_md, name="postmortem-export-md"),
    path("postmortems/export.<str:form>", exports.postmortem_export, name="postmortem-export"),
    path("action-items/export.<str:form>", exports.action_item_export, name="action-item-export"),
    path("postmortems/<int:number>/export.html", views.postmortem_export_html, name="postmortem-export-html"),
    path("postmortems/<int:number>/export.json", views.postmortem_export_json, name="postmortem-export-json"),
    path("action-items/", views.action_item_list, name="action-item-list"),
    path("action-items/new/", views.action_item_new, name="action-item-new"),
    path("action-items/<int:pk>/", views.action_item_edit, name="action-item-edit"),
]
