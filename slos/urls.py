"""Pages of slos."""

from django.urls import path

from slos import exports, views

urlpatterns = [
    path("slos/", views.slo_list, name="slo-list"),
    path("slos/export.<str:form>", exports.slo_export, name="slo-export"),
    path("slos/new/", views.slo_new, name="slo-new"),
    path("slos/<slug:slug>/", views.slo_detail, name="slo-detail"),
    path("slos/<slug:slug>/edit/", views.slo_edit, name="slo-edit"),
]
