"""Pages of contact methods and messages."""

from django.urls import path

from notifications import views

urlpatterns = [
    path("account/contact-methods/", views.contact_methods, name="contact-methods"),
    path("account/contact-methods/new/<slug:kind>/", views.contact_method_new, name="contact-method-new"),
    path("account/contact-methods/<int:pk>/", views.contact_method_edit, name="contact-method-edit"),
    path("account/contact-methods/<int:pk>/move/", views.contact_method_move, name="contact-method-move"),
    path("account/contact-methods/<int:pk>/switch/", views.contact_method_switch, name="contact-method-switch"),
    path("account/contact-methods/<int:pk>/remove/", views.contact_method_remove, name="contact-method-remove"),
    path("account/contact-methods/<int:pk>/test/", views.contact_method_test, name="contact-method-test"),
    path("settings/messages/", views.message_list, name="message-list"),
    path("settings/messages/<uuid:pk>/", views.message_detail, name="message-detail"),
    path("settings/messages/<uuid:pk>/again/", views.message_again, name="message-again"),
]
