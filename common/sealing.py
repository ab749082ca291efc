"""Secrets at rest: sealed before they are written down, opened where they are used."""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unopenable(Exception):
    """What was sealed was altered, or its key is among ours no more."""


def seal(text: str) -> str:
    """The text, for whoever has our first key. Sealing twice gives two different results."""
    return _ring().encrypt(text.encode()).decode()


def open(sealed: str) -> str:  # noqa: A001 - read as `sealing.open`
    """What was sealed with any key of ours, or `Unopenable`."""
    try:
        return _ring().decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeError):
        raise Unopenable("A stored secret cannot be opened with the keys of this installation.") from None


def _ring() -> MultiFernet:
    """The first key seals, all open: so what was sealed before a key was added or replaced stays readable."""
    given = tuple(filter(None, map(str.strip, settings.ENV.encryption_keys.split(","))))
    return _ring_of(given, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _ring_of(given: tuple[str, ...], secrets: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([*(Fernet(key) for key in given), *(Fernet(_derived(secret)) for secret in secrets)])


def _derived(secret: str) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"burnline: secrets at rest")
    return base64.urlsafe_b64encode(derivation.derive(secret.encode()))
