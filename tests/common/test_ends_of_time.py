"""Moments that no database keeps, and words that look like formats, are refused like any other."""

from __future__ import annotations

import base64
import json

import pytest
from django.test import Client

from people.models import User
from tests import make
from tests.conftest import Api

FIRST, LAST = "0001-01-01T00:00:00", "9999-12-31T23:59:59"


@pytest.mark.parametrize(("zone", "moment"), [("Europe/Berlin", FIRST), ("America/Los_Angeles", LAST)])
def test_a_moment_beyond_time_is_refused_on_every_page(client: Client, admin: User, zone: str, moment: str) -> None:
    incident = make.incident()
    User.objects.filter(pk=admin.pk).update(time_zone=zone)
    client.force_login(admin)
    declared = {"title": "a", "severity": "sev3", "kind": "other", "started_at": moment}

    answers = [
        client.post("/incidents/new/", declared),
        client.post(f"/incidents/{incident.number}/moments/", {"started_at": moment, "reason": "a"}),
        client.get("/incidents/", {"tab": "all", "opened_after": moment}),
        client.post("/settings/tokens/", {"name": "a", "scopes": ["read"], "last_day": moment[:10]}),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422, 422]


@pytest.mark.parametrize("moment", [f"{FIRST}Z", f"{LAST}Z"])
def test_nothing_is_written_down_that_only_some_zones_can_show(api: Api, admin: User, moment: str) -> None:
    make.slo("checkout")
    incident = make.incident()
    sample = {"start": moment, "seconds": 60, "good": 1, "valid": 1}

    answers = [
        api(admin).post("/api/v1/incidents/", {"title": "a", "started_at": moment}),
        api(admin).post(f"/api/v1/incidents/{incident.number}/timeline/", {"kind": "note", "text": "a", "at": moment}),
        api(admin).post("/api/v1/tokens/", {"name": "a", "scopes": ["read"], "expires_at": moment}),
        api(admin).post("/api/v1/slos/checkout/samples/", [sample]),
    ]

    assert [answer.status_code for answer in answers] == [422, 422, 422, 422]


@pytest.mark.parametrize("moment", [f"{FIRST}+14:00", f"{LAST}-14:00"])
def test_a_moment_beyond_time_is_refused_by_the_api(api: Api, admin: User, moment: str) -> None:
    place = base64.urlsafe_b64encode(json.dumps(["n", "-created_at,-id", moment, 1]).encode()).decode()

    for asked in ({"opened_after": moment}, {"cursor": place}):
        assert api(admin).get("/api/v1/incidents/", asked).status_code == 422


def test_a_percent_sign_is_no_format(api: Api, admin: User) -> None:
    answer = api(admin).get("/api/v1/slos/", {"kind": "%00 %s"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["message"].startswith("%00 %s is not one of availability")
