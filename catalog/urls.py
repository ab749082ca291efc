"""Pages of catalog."""

from django.urls import path

from catalog import exports, views

urlpatterns = [
    path("services/", views.service_list, name="service-list"),
    path("services/export.<str:form>", exports.service_export, name="service-export"),
    path("services/new/", views.service_new, name="service-new"),
    path("services/<slug:slug>/", views.service_detail, name="service-detail"),
    path("services/<slug:slug>/edit/", views.service_edit, name="service-edit"),
    path("models/new/", views.model_new, name="model-new"),
    path("models/<slug:slug>/", views.model_detail, name="model-detail"),
    path("models/<slug:slug>/edit/", views.model_edit, name="model-edit"),
]
