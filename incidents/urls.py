"""Pages of incidents."""

from django.urls import path

from incidents import answer_views, api_live, bulk_views, exports, saved_pages, views

urlpatterns = [
    path("answer/<str:token>/", answer_views.answer, name="answer"),
    path("live/", api_live.Live.as_view(), name="live"),
    path("live/version/", api_live.Version.as_view(), name="live-version"),
    path("incidents/", views.incident_list, name="incident-list"),
    path("incidents/export.<str:form>", exports.incident_export, name="incident-export"),
    path("incidents/views/new/", saved_pages.saved_view_new, name="saved-view-new"),
    path("incidents/views/<int:pk>/", saved_pages.saved_view_edit, name="saved-view-edit"),
    path("incidents/views/<int:pk>/delete/", saved_pages.saved_view_delete, name="saved-view-delete"),
    path("incidents/views/<int:pk>/restore/", saved_pages.saved_view_restore, name="saved-view-restore"),
    path("incidents/bulk/", bulk_views.incident_bulk, name="incident-bulk"),
    path("incidents/new/", views.incident_new, name="incident-new"),
    path("incidents/<int:number>/", views.incident_detail, name="incident-detail"),
    path("incidents/<int:number>/edit/", views.incident_edit, name="incident-edit"),
    path("incidents/<int:number>/moments/", views.incident_moments, name="incident-moments"),
    path("incidents/<int:number>/acknowledge/", views.incident_acknowledge, name="incident-acknowledge"),
    path("incidents/<int:number>/status/", views.incident_status, name="incident-status"),
    path("incidents/<int:number>/resolve/", views.incident_resolve, name="incident-resolve"),
    path("incidents/<int:number>/confirm/", views.incident_confirm, name="incident-confirm"),
    path("incidents/<int:number>/severity/", views.incident_severity, name="incident-severity"),
    path("incidents/<int:number>/note/", views.incident_note, name="incident-note"),
    path("incidents/<int:number>/mark/", views.incident_mark, name="incident-mark"),
    path("incidents/<int:number>/role/", views.incident_role, name="incident-role"),
    path("incidents/<int:number>/role/<int:assignment_id>/end/", views.incident_role_end, name="incident-role-end"),
    path("incidents/<int:number>/responders/", views.incident_responder, name="incident-responder"),
    path(
        "incidents/<int:number>/responders/<int:responder_id>/leave/",
        views.incident_responder_leave,
        name="incident-responder-leave",
    ),
    path("incidents/<int:number>/join/", views.incident_join, name="incident-join"),
    path("incidents/<int:number>/slos/", views.incident_slo, name="incident-slo"),
]
