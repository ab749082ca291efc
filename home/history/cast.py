"""Who and what the demo's history is about: people, teams, services, models, and what is promised of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alerts import integrations
from alerts.models import Integration
from catalog import inventory
from catalog.models import Model, Service
from people import directory
from people.actors import SYSTEM, Actor, person
from people.models import Discipline, Team, User
from slos import definitions
from slos.models import Slo

DOMAIN = "example.com"
ADMIN = f"dana.okafor@{DOMAIN}"

TEAMS = {"ml-platform": "ML platform", "risk": "Risk models", "payments": "Payments"}
PEOPLE = {
    "dana": ("Dana Okafor", "sre", "Europe/London", {"ml-platform": "manager"}),
    "mateusz": ("Mateusz Zieliński", "sre", "Europe/Warsaw", {"ml-platform": "responder"}),
    "noor": ("Noor El-Sayed", "ml_engineering", "Africa/Cairo", {"ml-platform": "responder", "risk": "responder"}),
    "yuki": ("Yuki Tanaka", "data_engineering", "Asia/Tokyo", {"ml-platform": "responder"}),
    "ravi": ("Ravi Menon", "data_science", "Asia/Kolkata", {"risk": "manager"}),
    "ana": ("Ana Beltrán", "data_science", "Europe/Madrid", {"risk": "responder"}),
    "liam": ("Liam O’Connor", "software", "Europe/Dublin", {"payments": "manager"}),
    "chiara": ("Chiara Rossi", "support", "Europe/Rome", {"payments": "responder"}),
}
SERVICES = {  # name, team, tier, what it depends on
    "feature-store": ("Feature store", "ml-platform", 2, []),
    "fraud-scorer": ("Fraud scorer", "risk", 1, ["feature-store"]),
    "checkout-api": ("Checkout API", "payments", 1, ["fraud-scorer"]),
    "support-assistant": ("Support assistant", "payments", 3, []),
}
MODELS = {"fraud-scorer": ("Fraud scorer", "fraud-scorer"), "chargeback-forecast": ("Chargeback forecast", "")}
SLOS = {  # name, service, kind, target, events in a minute, share of them that is bad on a quiet day
    "fraud-scorer-accuracy": ("Fraud scores that prove right", "fraud-scorer", "accuracy", "0.97", 240, 0.0085),
    "fraud-scorer-latency": ("Fraud scores within 300 ms", "fraud-scorer", "latency", "0.99", 1200, 0.0021),
    "fraud-scorer-availability": ("Fraud scores without an error", "fraud-scorer", "availability", "0.999", 1200, 2e-4),
    "fraud-scorer-drift": ("Features near their training data", "fraud-scorer", "drift", "0.95", 24, 0.009),
    "checkout-api-availability": ("Checkout without an error", "checkout-api", "availability", "0.9995", 900, 9e-5),
    "feature-store-freshness": ("Features younger than 5 minutes", "feature-store", "freshness", "0.99", 60, 0.0018),
}


@dataclass(frozen=True, slots=True)
class Cast:
    people: dict[str, User]
    teams: dict[str, Team]
    services: dict[str, Service]
    models: dict[str, Model]
    slos: dict[str, Slo]
    source: Integration

    def actor(self, name: str) -> Actor:
        return person(self.people[name])


def assemble(password: str, *, now: datetime) -> Cast:
    """All of them, new. Everybody signs in by this password; Dana administers."""
    teams = {slug: directory.add_team(name, by=SYSTEM, now=now, slug=slug) for slug, name in TEAMS.items()}
    people = {key: _person(key, password, teams, now) for key in PEOPLE}
    services: dict[str, Service] = {}
    for slug, (name, team, tier, depends_on) in SERVICES.items():
        on = [services[other] for other in depends_on]
        services[slug] = inventory.add_service(
            name, by=SYSTEM, now=now, slug=slug, team=teams[team], tier=tier, depends_on=on
        )
    models = {
        slug: inventory.add_model(
            name, by=SYSTEM, now=now, slug=slug, service=services.get(service), team=teams["risk"]
        )
        for slug, (name, service) in MODELS.items()
    }
    slos = {
        slug: definitions.create(
            services[service],
            name,
            target=target,
            by=SYSTEM,
            now=now,
            slug=slug,
            kind=kind,
            model=models.get(service),
        )
        for slug, (name, service, kind, target, _, _) in SLOS.items()
    }
    source, _ = integrations.create("Production Alertmanager", by=SYSTEM, now=now)
    return Cast(people, teams, services, models, slos, source)


def _person(key: str, password: str, teams: dict[str, Team], now: datetime) -> User:
    name, discipline, zone, memberships = PEOPLE[key]
    return directory.add_user(
        address(key),
        name,
        by=SYSTEM,
        now=now,
        password=password,
        discipline=Discipline.objects.get(slug=discipline),
        is_admin=address(key) == ADMIN,
        time_zone=zone,
        memberships={teams[slug]: role for slug, role in memberships.items()},
    )


def address(key: str) -> str:
    surnames = {"mateusz": "zielinski", "noor": "elsayed", "ana": "beltran", "liam": "oconnor"}
    return f"{key}.{surnames.get(key) or PEOPLE[key][0].split()[-1].lower()}@{DOMAIN}"
