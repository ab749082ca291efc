"""Bytes to structs: what is refused as a whole, what spoils only itself, what is mended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import payload
from tests import make


def parse(*alerts: Any, **fields: Any) -> payload.Notification:
    body = json.dumps({**json.loads(make.alertmanager_body()), "alerts": list(alerts), **fields}).encode()
    assert payload.count(body) == len(alerts)
    return payload.parse(body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b"{", b'{"version": "4", "alerts": [NaN]}', b"\xff\xfe", b'{"alerts": []}'),
        *(b'{"version": 4, "alerts": []}', b'{"version": "3", "alerts": []}', b'{"version": "4"}'),
        *(b'{"version": "4", "alerts": {}}', b'{"version": "4", "alerts": null}'),
        *(b"[" * 100_000, b'{"version": "4", "alerts": ' + b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}"),
    ],
)
def test_what_is_no_notification_is_refused(body: bytes) -> None:
    with pytest.raises(payload.BadPayload):
        payload.parse(body)
    with pytest.raises(payload.BadPayload):
        payload.count(body)


@pytest.mark.parametrize(
    "bad",
    [
        *(5, None, "alert", [], {}),
        {**make.alert(), "labels": {"a": 1}},
        {**make.alert(), "labels": {"a": "\ud800"}},
        {**make.alert(), "startsAt": "9999-12-31T23:59:59-05:00"},
        {**make.alert(), "startsAt": "0001-01-01T00:00:00Z"},
        {**make.alert(), "startsAt": "2026-11-22T10:00:00"},
        {**make.alert(), "startsAt": "2026-11-22T10:00:00+25:00"},
        {**make.alert(), "startsAt": 5},
        {**make.alert(), "status": "pending"},
        {**make.alert(), "fingerprint": ""},
        {**make.alert(), "fingerprint": "f" * 65},
        {k: v for k, v in make.alert().items() if k != "startsAt"},
    ],
)
def test_an_alert_that_cannot_be_read_spoils_itself_alone(bad: Any) -> None:
    read = parse(make.alert("Good"), bad, make.alert("AlsoGood"))

    assert {alert.name for alert in read.alerts} == {"Good", "AlsoGood"}
    assert [q.position for q in read.quarantined] == [1]
    assert read.received == 3
    assert read.quarantined[0].reason


def test_a_nul_is_replaced_and_nothing_else_is_touched() -> None:
    read = parse(
        make.alert(labels={"combining": "e\u0301", "composed": "\xe9", "nul": "a\0b", "odd": "\u2028\u202e\ufeff"})
    )

    labels = read.alerts[0].labels
    assert labels["nul"] == "a\N{REPLACEMENT CHARACTER}b"
    assert labels["combining"] == "e\u0301"
    assert labels["composed"] == "\xe9"
    assert labels["odd"] == "\u2028\u202e\ufeff"


def test_envelope_fields_of_the_wrong_type_cost_nothing_but_themselves() -> None:
    read = parse(make.alert(), groupKey=5, truncatedAlerts="many", commonLabels=[], groupLabels={"alertname": "X"})

    assert len(read.alerts) == 1
    assert read.group_key.startswith("labels:")
    assert read.truncated == 0


@pytest.mark.parametrize("field", ["groupLabels", "commonLabels", "commonAnnotations", "truncatedAlerts"])
def test_nor_does_a_lone_surrogate_in_the_place_of_another_type(field: str) -> None:
    assert [alert.name for alert in parse(make.alert("Good"), **{field: "\ud800"}).alerts] == ["Good"]


def test_unknown_fields_are_accepted() -> None:
    read = parse({**make.alert(), "future": {"a": [1]}}, notification_reason="new alerts added", routeLabels={"a": "b"})

    assert len(read.alerts) == 1


def test_an_alert_named_twice_in_a_body_is_one_and_its_resolve_wins() -> None:
    read = parse(make.alert(), make.alert(status="resolved", ends_at=make.NOW), make.alert())

    assert [alert.status for alert in read.alerts] == ["resolved"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)
    )
)
def test_no_json_value_as_an_alert_breaks_the_parser(value: Any) -> None:
    body = {**json.loads(make.alertmanager_body()), "alerts": [value, make.alert()]}
    try:
        read = payload.parse(json.dumps(body).encode())
    except payload.BadPayload:
        assert "NaN" in json.dumps(value) or "Infinity" in json.dumps(value)
    else:
        assert read.received == payload.count(json.dumps(body).encode()) == 2


@given(st.binary(max_size=200))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    with pytest.raises(payload.BadPayload):
        payload.parse(body)


def test_millions_of_nothing_are_no_alerts() -> None:
    body = b'{"version": "4", "groupKey": "a", "alerts": [' + b",".join([b"{}"] * 100_000) + b"]}"

    with pytest.raises(payload.BadPayload, match="no alerts: 100,000 of them"):
        payload.parse(body)
