"""Due work in its simplest form, for what the engine itself promises: something is posted under its key."""

from typing import ClassVar

from django.db import models

from common import work


class Errand(work.DueWork):
    """Post `key` to `url`, if there is one; or do something worse."""

    TASK: ClassVar[str] = "tests.faults.errands.tasks.run"
    MAX_ATTEMPTS: ClassVar[int] = 20  # deaths of its process are no fault of its own here

    key = models.CharField(max_length=100, unique=True)
    url = models.CharField(max_length=200, blank=True)
    is_deadly = models.BooleanField(default=False)  # it kills who carries it out

    class Meta(work.DueWork.Meta):
        app_label = "errands"
