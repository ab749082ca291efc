"""Django as a WSGI application: what the bridge runs in its threads."""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
# Every page is imported now: the first request of each process waits for none, and a broken one is seen at the start.
_ = get_resolver().url_patterns
from alerts import group_commit  # noqa: E402 - Django must be set up before

group_commit.begin()
# What is there now stays for good: the collector need not walk through it again and again.
gc.freeze()
