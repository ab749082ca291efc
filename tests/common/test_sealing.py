"""Secrets are unreadable where they are kept, and stay readable to us through a change of keys."""

import pytest
from cryptography.fernet import Fernet
from pytest_django.fixtures import Settings

from common import sealing

SECRET = "whsec_üñ/+=" * 5


def test_what_was_sealed_is_opened_again_and_tells_nothing_meanwhile() -> None:
    sealed = sealing.seal(SECRET)

    assert SECRET not in sealed
    assert sealed != sealing.seal(SECRET)
    assert sealing.open(sealed) == SECRET


@pytest.mark.parametrize("place", range(0, 100, 9))
def test_an_altered_secret_is_not_opened(place: int) -> None:
    sealed = sealing.seal(SECRET)
    altered = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]

    with pytest.raises(sealing.Unopenable):
        sealing.open(altered)


@pytest.mark.parametrize("rubbish", ["", "plain text", "ключ", "\x00", "gAAAAA=="])
def test_rubbish_is_not_opened_and_not_repeated(rubbish: str) -> None:
    with pytest.raises(sealing.Unopenable) as refusal:
        sealing.open(rubbish)

    assert not rubbish or rubbish not in str(refusal.value)


def test_giving_keys_to_an_installation_that_had_none_keeps_its_secrets(settings: Settings) -> None:
    before = sealing.seal(SECRET)

    settings.ENV = settings.ENV.model_copy(update={"encryption_keys": Fernet.generate_key().decode()})

    assert sealing.open(before) == SECRET
    settings.SECRET_KEY = "another secret key, which derives another key for sealing"
    assert sealing.open(sealing.seal(SECRET)) == SECRET
    with pytest.raises(sealing.Unopenable):
        sealing.open(before)


def test_the_first_key_seals_and_the_others_still_open(settings: Settings) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.ENV = settings.ENV.model_copy(update={"encryption_keys": old})
    before = sealing.seal(SECRET)

    settings.ENV = settings.ENV.model_copy(update={"encryption_keys": f"{new}, {old}"})
    after = sealing.seal(SECRET)

    assert sealing.open(before) == SECRET
    assert Fernet(new).decrypt(after.encode()).decode() == SECRET


def test_a_new_secret_key_with_the_old_one_as_fallback_keeps_the_secrets(settings: Settings) -> None:
    before = sealing.seal(SECRET)

    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next secret key of this installation, long enough"

    assert sealing.open(before) == SECRET
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(sealing.Unopenable):
        sealing.open(before)
