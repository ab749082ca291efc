"""Every setting, typed, from the environment (BURNLINE_*, DATABASE_URL, REDIS_URL); faults are listed all at once."""

import base64
import ipaddress
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import dj_database_url
from pydantic import AfterValidator, Field, FilePath, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from common import logs

BASE_DIR = Path(__file__).resolve().parent.parent


def _http_origin(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")):
        raise ValueError("must be an origin such as https://burnline.example.com, without a path")
    return value.rstrip("/")


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("must be the issuer's address, such as https://login.example.com/realms/company")
    return value


def _database(value: str) -> str:
    if value and not value.startswith(("postgres://", "postgresql://", "sqlite://")):
        raise ValueError("must begin with postgresql:// or sqlite://")
    return value


def _networks(value: str) -> str:
    for network in filter(None, value.split(",")):
        ipaddress.ip_network(network.strip())
    return value


def _mail_server(value: str) -> str:
    if value and (not re.match(r"smtps?://|smtp\+(tls|starttls|ssl)://", value) or urlsplit(value).port == 0):
        raise ValueError("must begin with smtp://, smtp+tls:// or smtps://, such as smtp+tls://user:password@host:587")
    return value


def _sender(value: str) -> str:
    if not re.fullmatch(r"[^<>@\r\n]*<[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+", value):
        raise ValueError("must be an e-mail address, such as Burnline <burnline@example.com>")
    return value


def _sealing_keys(value: str) -> str:
    for key in filter(None, map(str.strip, value.split(","))):
        if len(key) != 44 or len(base64.urlsafe_b64decode(key)) != 32:
            raise ValueError("each must be 32 bytes in URL-safe Base64: `openssl rand -base64 32 | tr +/ -_`")
    return value


class Environment(BaseSettings):
    """What the environment may say. Variables are named BURNLINE_<FIELD>, except the two URLs."""

    model_config = SettingsConfigDict(env_prefix="BURNLINE_", extra="ignore", env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    data_dir: Path = BASE_DIR / "var"
    public_url: Annotated[str, AfterValidator(_http_origin)] = ""
    database_url: Annotated[str, AfterValidator(_database), Field(validation_alias="DATABASE_URL")] = ""
    redis_url: Annotated[str, Field(validation_alias="REDIS_URL", pattern=r"^$|^(rediss?|unix)://")] = ""
    secret_key: Annotated[str, Field(min_length=32)] = "-" * 32
    admin_email: str = "admin@burnline.localhost"
    admin_password: str = ""
    allowed_hosts: str = ""  # comma separated, beside the host of public_url
    metrics_token: str = ""
    metrics_networks: Annotated[str, AfterValidator(_networks)] = ""  # comma separated, who may read them without one
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    web_workers: Annotated[int, Field(ge=1, le=64)] = 2
    web_threads: Annotated[int, Field(ge=0, le=256)] = 0  # of each web process; 0 is by the database, see `threads`
    reopen_window: Annotated[int, Field(ge=0)] = 30 * 60  # seconds
    provisional_grace: Annotated[int, Field(ge=0)] = 120  # seconds
    quiet_period: Annotated[int, Field(ge=0)] = 5 * 60  # seconds
    # seconds after which a source repeats what fires, until that is learned: as Alertmanager does by itself
    repeat_interval: Annotated[int, Field(ge=10)] = 4 * 60 * 60
    login_attempts_per_hour: Annotated[int, Field(ge=1)] = 20
    proxies: Annotated[int, Field(ge=0, le=10)] = 0  # how many stand before us, each adding to X-Forwarded-For
    live: Literal["stream", "poll"] = "stream"  # how pages hear of changes
    engine_threads: Annotated[int, Field(ge=1, le=256)] = 32  # pieces of due work that an engine does itself at once
    smtp_url: Annotated[str, AfterValidator(_mail_server)] = ""
    mail_from: Annotated[str, AfterValidator(_sender)] = "Burnline <burnline@localhost>"
    private_networks: Annotated[str, AfterValidator(_networks)] = ""  # comma separated, where messages may go beside
    encryption_keys: Annotated[str, AfterValidator(_sealing_keys)] = (
        ""  # comma separated; without, the secret key's own
    )
    raw_deliveries_days: Annotated[int, Field(ge=1)] = 7
    raw_deliveries_mib: Annotated[int, Field(ge=1)] = 2048
    prepared_statements: bool = True  # off behind a pooler that does not keep them
    log_format: Literal["auto", "json", "text"] = "auto"  # auto: text on a terminal, JSON elsewhere
    breached_passwords: FilePath | None = None  # SHA-1 in the order of the hashes, as haveibeenpwned.com gives them out
    require_second_factor: Literal["none", "admins", "everyone"] = "none"
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_client_secret_file: FilePath | None = None
    oidc_name: Annotated[str, Field(max_length=40)] = "Single sign-on"
    oidc_new_people: bool = False  # whom the provider knows and we do not is added, as a viewer without a team
    oidc_domains: str = ""  # comma separated; only who has such a verified address is added
    oidc_links_verified_email: bool = False  # an account with the address that the provider has verified is theirs

    @property
    def oidc_secret(self) -> str:
        return (
            self.oidc_client_secret_file.read_text().strip()
            if self.oidc_client_secret_file
            else self.oidc_client_secret
        )

    @property
    def threads(self) -> int:
        """How many run Django in each web process. On PostgreSQL each keeps a connection, and on two cores more of them
        take in less; on SQLite readers must pass while a writer waits for its turn."""
        return self.web_threads or (3 if self.database_url.startswith("postgres") else 16)

    @property
    def origin(self) -> str:
        """Where people and Alertmanager reach us."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _environment() -> Environment:
    try:
        env = Environment()
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        sys.exit(f"burnline: the settings are wrong: {faults}")
    return env.model_copy(update={"data_dir": env.data_dir.expanduser().resolve(), "public_url": env.origin})


def _kept_secret_key(folder: Path) -> str:
    """The key of this data folder, made at its first use."""
    path = folder / "secret_key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as exc:
        sys.exit(
            f"burnline: cannot write to the data folder {folder}: {exc.strerror}. Choose another with DATA_DIR=..."
        )
    with os.fdopen(handle, "w") as file:
        key = secrets.token_urlsafe(50)
        file.write(key)
    return key


ENV = _environment()
_public = urlsplit(ENV.public_url)
_https = _public.scheme == "https"

SECRET_KEY = ENV.secret_key if ENV.secret_key.strip("-") else _kept_secret_key(ENV.data_dir)
DEBUG = False
ALLOWED_HOSTS = [
    *{_public.hostname or "127.0.0.1", *filter(None, ENV.allowed_hosts.split(","))},
    *(["127.0.0.1", "localhost", "[::1]"] if ENV.host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "::") else []),
]
CSRF_TRUSTED_ORIGINS = [ENV.public_url]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "common",
    "people",
    "catalog",
    "oncall",
    "notifications",
    "slos",
    "incidents",
    "alerts",
    "postmortems",
    "home",
]

MIDDLEWARE = [
    "common.request_log.RequestLog",
    "common.headers.on_every_answer",
    "common.health.straight_to_probes",
    "alerts.middleware.straight_to_ingest",
    "common.origin.remembered",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "common.middleware.SlashForReaders",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "people.middleware.known_actor",
    "people.middleware.refusals_are_recorded",
    "people.middleware.ByMatrix",
    "common.middleware.Refusals",
]

ROOT_URLCONF = "config.urls"
CELERY_APPLICATION = "config.celery.app"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "people.context.actor",
                "common.pulse.on_pages",
                "home.frame.on_pages",
            ],
        },
    }
]

if ENV.database_url.startswith(("postgres://", "postgresql://")):
    _database_settings = dj_database_url.parse(ENV.database_url)
    DATABASES = {
        "default": {
            **_database_settings,
            "ENGINE": "common.postgresql",
            "CONN_MAX_AGE": None,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {
                **_database_settings.get("OPTIONS", {}),
                "prepare_threshold": 0 if ENV.prepared_statements else None,
                "options": "-c lock_timeout=8s -c idle_in_transaction_session_timeout=60s",
            },
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "common.sqlite",
            "NAME": str(
                dj_database_url.parse(ENV.database_url)["NAME"]
                if ENV.database_url
                else ENV.data_dir / "burnline.sqlite3"
            ),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # What the log holds is copied into the file once that is 16,000 pages (64 MB): most of them are written
                # again by then, each at a random place, and are copied once. A cache lives only until somebody else has
                # written, and so need not be large.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-8000; "
                "PRAGMA wal_autocheckpoint=16000;",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "people.User"
SILENCED_SYSTEM_CHECKS = [
    "auth.E003",  # an e-mail is unique whatever its case: by a constraint, not by the column
    "security.W002",  # framing is refused by the policy on every answer (frame-ancestors 'none')
    "security.W008",  # the proxy that speaks TLS redirects; a webhook never meets a redirect
    "security.W021",  # the preload list is for the owner of the domain to ask for
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "people.breached.Unbreached"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"

# django-allauth: its second factors, passkeys and single sign-on, behind pages of ours. Guesses are counted by
# people/guesses.py, on every way in alike.
ACCOUNT_ADAPTER = "people.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = False
MFA_ADAPTER = "people.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn"]  # recovery codes are ours: of them only hashes are kept
MFA_TOTP_TOLERANCE = 1
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True

# What must be used once, or counted, by all processes alike. In the database: it is there when Redis is not.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "people_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = ENV.data_dir / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "common.statics.Hashed"},
}
WHITENOISE_MAX_AGE = 3600

MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_ENGINE = "people.sessions"
SESSION_COOKIE_NAME = "__Host-burnline" if _https else "burnline"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-burnline-csrf" if _https else "burnline-csrf"
CSRF_COOKIE_SECURE = _https
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "common.pages.csrf_refused"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = False
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 << 20
WEBHOOK_MAX_BYTES = 32 << 20
# Who is told, in the same transaction, how a message of such a topic ended, and by what it was in vain so far.
MESSAGES_END_AT = {"incident": "incidents.notices.record", "incidents": "incidents.notices.record"}
# How people are told of changes to their accounts, and sent the links by which they set a password.
ACCOUNT_MESSAGES = {"tell": "notifications.accounts.tell", "send_link": "notifications.accounts.send_link"}
# What of /metrics is read from the database at each scrape.
SCRAPED = ["common.pulse.gauges", "common.backlog.gauges", "incidents.gauges.open_incidents"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["people.authentication.Bearer", "people.authentication.Session"],
    "DEFAULT_PERMISSION_CLASSES": ["people.permissions.ByMatrix"],
    "DEFAULT_RENDERER_CLASSES": ["common.wire.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["common.wire.JsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "common.wire.Negotiation",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS tells nothing that the OpenAPI document does not
    "DEFAULT_PAGINATION_CLASS": "common.keyset.ApiPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "common.schema.Operations",
    "EXCEPTION_HANDLER": "common.problems.handle",
    "PAGE_SIZE": 25,
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Burnline",
    "DESCRIPTION": "Incident response and postmortems for teams that run AI-backed services.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["people.permissions.ByMatrix"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "GET_LIB_DOC_EXCLUDES": "common.rest.undescribed",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "IncidentStatus": "incidents.models.Incident.Status",
        "IncidentKind": "incidents.models.Incident.Kind",
        "EntryKind": "incidents.models.Entry.Kind",
        "ResponderState": "incidents.models.Responder.State",
        "ActorType": "people.actors.ActorType",
        "AlertStatus": "alerts.models.Alert.Status",
        "IntegrationKind": "alerts.models.Integration.Kind",
        "SloKind": "slos.models.Slo.Kind",
        "SloMethod": "slos.models.Slo.Method",
        "SloMethodTaken": [("occurrences", "Occurrences")],
        "BudgetStatus": "slos.budget.Status",
        "PostmortemStatus": "postmortems.models.Postmortem.Status",
        "SectionState": "postmortems.models.Section.State",
        "ActionItemType": "postmortems.models.ActionItem.Type",
        "ActionItemStatus": "postmortems.models.ActionItem.Status",
    },
}

LOGGING = logs.configuration(level=ENV.log_level, form=ENV.log_format)
