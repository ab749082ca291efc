"""Django as a WSGI application: what the bridge runs in its threads, and granian on nodes that only take webhooks."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
