"""What the front hall remembers of people: nothing but that they have seen enough of the first steps."""

from __future__ import annotations

from django.db import models

from people.models import User


class Hidden(models.Model):
    """That somebody does not want to be shown the first steps any more."""

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"first steps of {self.user}"
