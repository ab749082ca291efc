"""The product's settings, and errands beside its own due work: for the processes that the fault tests start."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.errands"]
MIDDLEWARE = ["tests.faults.signing.signed", *MIDDLEWARE]
