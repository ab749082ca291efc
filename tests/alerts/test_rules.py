"""A fingerprint's instances end the same in whatever order their deliveries come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts import rules
from alerts.rules import Instance

T = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GRACE = timedelta(seconds=120)


def at(minute: int) -> datetime:
    return T + timedelta(minutes=minute)


def firing(start: int) -> Instance:
    return Instance(at(start))


def resolved(start: int, end: int) -> Instance:
    return Instance(at(start), at(end), is_firing=False)


def fold(deliveries: list[Instance]) -> dict[datetime, Instance]:
    state: dict[datetime, Instance] = {}
    for delivered in deliveries:
        verdict = rules.judge(state.values(), [delivered], now=at(60), grace=GRACE)
        for instance in (*verdict.delivered, *(i for i in verdict.overtaken)):
            state[instance.starts_at] = instance
        for old in verdict.overtaken:
            known = state[old.starts_at]
            state[old.starts_at] = Instance(known.starts_at, known.ends_at, is_firing=False, superseded=True)
        if (seen := verdict.uncovered) is not None:
            state[seen.starts_at] = replace(seen, provisional_since=seen.starts_at)
        state = {start: replace(instance, id=start.minute + 1) for start, instance in state.items()}
    return state


def after_the_grace(state: dict[datetime, Instance]) -> dict[datetime, Instance]:
    verdict = rules.lapse(state.values(), list(state.values()), now=at(60), grace=GRACE)
    return state | {instance.starts_at: instance for instance in verdict.delivered}


def open_ones(state: dict[datetime, Instance]) -> list[datetime]:
    return [start for start, instance in state.items() if instance.is_firing]


def test_a_start_that_moves_later_replaces_the_open_one() -> None:
    state = fold([firing(0), firing(5)])

    assert open_ones(state) == [at(5)]
    assert state[at(0)].superseded


def test_a_resolve_of_an_earlier_start_that_covers_the_open_one_closes_it() -> None:
    for order in permutations([firing(29), firing(0), resolved(0, 40)]):
        state = fold(list(order))

        assert open_ones(state) == []


def test_firing_again_with_the_start_at_which_it_had_resolved_is_provisional_until_the_grace_is_over() -> None:
    known = [resolved(0, 5)]

    first = rules.judge(known, [firing(0)], now=at(6), grace=GRACE).delivered[0]
    again = rules.judge([first], [firing(0)], now=at(9), grace=GRACE)

    assert not first.is_firing
    assert first.provisional_since == at(6)
    assert again.promoted
    assert again.is_open
    assert again.is_open.starts_at == at(0)


def test_a_stale_firing_that_is_followed_by_its_resolve_leaves_nothing_provisional() -> None:
    state = fold([firing(0), resolved(0, 5), firing(0), resolved(0, 5)])

    assert open_ones(state) == []
    assert state[at(0)].provisional_since is None


def test_of_two_ends_the_earlier_stands() -> None:
    assert fold([firing(0), resolved(0, 9), resolved(0, 5)])[at(0)].ends_at == at(5)


def test_what_turns_out_not_to_be_covered_fires_when_it_is_repeated() -> None:
    for order in permutations([firing(29), resolved(0, 40), resolved(0, 20)]):
        state = fold([*order, firing(29)])
        assert open_ones(state) == [at(29)]
        assert state[at(29)].provisional_since is None, "it fires, and waits for nothing"


def test_of_two_ends_the_earlier_stands_also_for_what_began_between_them() -> None:
    """What seemed to be covered is looked at again where it turns out not to be."""
    for order in permutations([firing(29), resolved(0, 40), resolved(0, 20)]):
        assert open_ones(after_the_grace(fold(list(order)))) == [at(29)]


def test_what_is_covered_by_another_or_is_not_the_last_is_not_looked_at_again() -> None:
    for others in ([resolved(10, 40)], [firing(30)], [resolved(30, 31)], [resolved(29, 33)]):
        for order in permutations([firing(29), resolved(0, 40), resolved(0, 20), *others]):
            state = after_the_grace(fold(list(order)))
            assert open_ones(state) == open_ones(fold([*others, firing(29)])), order


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), min_size=1, max_size=6), st.randoms())
def test_the_order_of_deliveries_does_not_matter(episodes: list[tuple[int, int]], random: object) -> None:
    """Distinct starts; length 0 means that it never resolved. Doubled and shuffled, the end state is one."""
    lengths = dict(episodes)
    deliveries = [firing(start * 10) for start in lengths]
    deliveries += [resolved(start * 10, start * 10 + n * 5) for start, n in lengths.items() if n]
    expected = fold(sorted(deliveries, key=lambda i: (i.starts_at, not i.is_firing)))

    shuffled = deliveries * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    state = fold(shuffled)

    assert open_ones(state) == open_ones(expected)
    assert len(open_ones(state)) <= 1
    assert not [instance for instance in state.values() if instance.is_firing and instance.provisional_since]
