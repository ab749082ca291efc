"""Every way in: pages by room, the REST API, the door for webhooks, and what operators ask."""

from django.urls import include, path

from common import health

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.expose_metrics, name="metrics"),
    path("", include("home.urls")),
    path("", include("people.urls")),
    path("", include("notifications.urls")),
    path("", include("catalog.urls")),
    path("", include("slos.urls")),
    path("", include("incidents.urls")),
    path("", include("alerts.urls")),
    path("", include("postmortems.urls")),
    path("api/v1/", include("common.api_urls")),
    path("api/v1/", include("people.api_urls")),
    path("api/v1/", include("catalog.api_urls")),
    path("api/v1/", include("slos.api_urls")),
    path("api/v1/", include("incidents.api_urls")),
    path("api/v1/", include("alerts.api_urls")),
    path("api/v1/", include("postmortems.api_urls")),
]

handler400 = "common.pages.bad_request"
handler403 = "common.pages.forbidden"
handler404 = "common.pages.not_found"
handler500 = "common.pages.broken"
