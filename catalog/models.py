"""What we run: services, and the models that they serve."""

from typing import ClassVar

from django.db import models
from django.urls import reverse

from people.models import Team


class Service(models.Model):
    """Something that users depend on and that somebody is paged for."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=150)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="services")
    tier = models.PositiveSmallIntegerField(default=3, help_text="1 is the most important, 4 the least.")
    depends_on = models.ManyToManyField("self", symmetrical=False, blank=True, related_name="dependents")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "id")
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(tier__gte=1, tier__lte=4), name="tier_is_one_to_four")
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("service-detail", args=[self.slug])


class Model(models.Model):
    """A machine-learned model that a service serves. Its versions and stages belong to the changes of the catalogue."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=150)
    service = models.ForeignKey(Service, null=True, blank=True, on_delete=models.PROTECT, related_name="models")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="models")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("model-detail", args=[self.slug])
