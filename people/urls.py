"""Pages of people."""

from django.urls import path

from people import account_views, audit_pages, exports, preference_views, second_factor_views, sign_in_views, views

urlpatterns = [
    path("sign-in/", sign_in_views.sign_in, name="sign-in"),
    path("sign-in/code/", sign_in_views.sign_in_code, name="sign-in-code"),
    path("sign-in/passkey/", sign_in_views.sign_in_passkey, name="sign-in-passkey"),
    path("sign-out/", sign_in_views.sign_out, name="sign-out"),
    path("account/", account_views.account, name="account"),
    path("account/password/", account_views.password, name="account-password"),
    path("account/second-factor/", second_factor_views.overview, name="second-factor"),
    path("account/second-factor/app/", second_factor_views.app_new, name="second-factor-app"),
    path("account/second-factor/passkey/", second_factor_views.passkey_new, name="second-factor-passkey"),
    path("account/second-factor/<int:pk>/name/", second_factor_views.passkey_rename, name="second-factor-name"),
    path("account/second-factor/<int:pk>/remove/", second_factor_views.remove, name="second-factor-remove"),
    path("account/second-factor/codes/", second_factor_views.recovery_codes_new, name="second-factor-codes"),
    path("account/sessions/", account_views.session_list, name="session-list"),
    path("account/sessions/end/", account_views.session_end, name="session-end"),
    path("account/sessions/end-others/", account_views.sessions_end_others, name="sessions-end-others"),
    path("account/confirm/", account_views.confirm, name="confirm"),
    path("account/preferences/", preference_views.show, name="preferences"),
    path("account/preferences/theme/", preference_views.choose_theme, name="preferences-theme"),
    path("settings/tokens/", views.token_list, name="token-list"),
    path("settings/tokens/<int:token_id>/revoke/", views.token_revoke, name="token-revoke"),
    path("settings/people/", views.people_list, name="people-list"),
    path("settings/people/export.<str:form>", exports.people_export, name="people-export"),
    path("settings/people/new/", views.person_new, name="person-new"),
    path("settings/people/<int:user_id>/", views.person_edit, name="person-edit"),
    path("settings/teams/", views.team_list, name="team-list"),
    path("settings/teams/new/", views.team_new, name="team-new"),
    path("settings/vocabulary/", views.vocabulary, name="vocabulary"),
    path("settings/audit/", audit_pages.audit_list, name="audit-list"),
    path("settings/audit/export.jsonl", audit_pages.audit_export, name="audit-export"),
]
