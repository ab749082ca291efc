"""What is hashed is canonical JSON to the byte, whichever way it was written."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from common import canonical
from incidents.models import Entry

KEYS = st.text() | st.sampled_from(["\U0001f600", "\ufb01", "\x7f", "é", "z", "A"])  # some sort otherwise in UTF-16
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=30)


@given(VALUES)
def test_the_quick_way_writes_the_same_bytes(value: Any) -> None:
    try:
        expected = rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        with pytest.raises(rfc8785.CanonicalizationError):
            canonical.dumps(value)
        return

    assert canonical.dumps(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"\U0001f600": 1, "\ufb01": 2},
        {"kind": Entry.Kind.ALERTS_FIRED, "at": [1, 2**53 - 1, True, None, 1.0, 1e21]},
        {"quoted": '\b\t\n\f\r"\\/\x00\x1f\x7f\u2028'},
        (1, "a tuple"),
    ],
)
def test_what_orjson_would_write_otherwise_is_written_as_the_standard_says(value: Any) -> None:
    assert canonical.dumps(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [2**53, -(2**60), float("nan"), "\ud800", {"\ud800": 1}, {1: "a"}, {"a": object()}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises((rfc8785.CanonicalizationError, UnicodeEncodeError)):
        canonical.dumps(value)
