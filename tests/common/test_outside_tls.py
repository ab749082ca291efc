"""Over TLS, the certificate is that of the name, although the connection is made to a checked address."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django.fixtures import Settings

from common import outside
from tests import providers


def certificate(folder: Path, *names: str) -> Path:
    """A certificate for these names with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A provider")])
    now = datetime.datetime.now(datetime.UTC)
    plain = [x509.DNSName(name) for name in names if not name[0].isdigit()]
    literal = [x509.IPAddress(ipaddress.ip_address(name)) for name in names if name[0].isdigit()]
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([*plain, *literal]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "provider.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def asked_for() -> list[str | None]:
    """The names that clients asked for in their hellos."""
    return []


@pytest.fixture
def provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings, asked_for: list[str | None]
) -> Iterator[providers.HttpProvider]:
    """A provider with a certificate for hooks.example and 127.0.0.2, whom this test trusts."""
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    path = certificate(tmp_path, "hooks.example", "127.0.0.2")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    serving.sni_callback = lambda line, name, context: asked_for.append(name)
    trusting = ssl.create_default_context(cafile=str(path))
    monkeypatch.setattr(outside, "_tls", lambda: trusting)
    real = socket.getaddrinfo
    monkeypatch.setattr(
        "socket.getaddrinfo",
        lambda host, *rest, **more: real("127.0.0.2" if host.endswith(".example") else host, *rest, **more),
    )
    with providers.http("127.0.0.2", serving) as provider:
        yield provider


def test_the_name_is_asked_for_and_its_certificate_checked(
    provider: providers.HttpProvider, asked_for: list[str | None]
) -> None:
    answer = outside.post(f"https://hooks.example:{provider.port}/services/x", b'{"text": "hello"}', {})

    assert (answer.status, answer.body) == (200, b"ok")
    assert asked_for == ["hooks.example"]
    assert provider.requests[0].headers["host"] == f"hooks.example:{provider.port}"


def test_an_address_needs_a_certificate_of_its_own(provider: providers.HttpProvider) -> None:
    assert outside.post(provider.url("/x"), b"{}", {}).status == 204


def test_a_certificate_for_another_name_is_refused(provider: providers.HttpProvider) -> None:
    with pytest.raises(outside.Unreachable, match=r"certificate of other\.example is not valid"):
        outside.post(f"https://other.example:{provider.port}/services/x", b"{}", {})

    assert provider.requests == []


def test_a_certificate_that_nobody_vouches_for_is_refused(
    provider: providers.HttpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "_tls", ssl.create_default_context)

    with pytest.raises(outside.Unreachable, match="certificate"):
        outside.post(f"https://hooks.example:{provider.port}/services/x", b"{}", {})

    assert provider.requests == []


def test_one_that_speaks_no_tls_is_told_so(settings: Settings) -> None:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    with providers.http() as plain, pytest.raises(outside.Unreachable, match="does not speak TLS"):
        outside.post(plain.url("/x").replace("http:", "https:"), b"{}", {})


def test_a_handshake_that_hangs_ends_in_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ENV = settings.ENV.model_copy(update={"private_networks": "127.0.0.0/8"})
    monkeypatch.setattr(outside, "TOTAL", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        begun = time.monotonic()

        with pytest.raises(outside.TooSlow):
            outside.post(f"https://127.0.0.1:{deaf.getsockname()[1]}/", b"{}", {})

        assert time.monotonic() - begun < 3


def test_the_certificates_of_this_machine_are_what_we_trust() -> None:
    context = outside._tls()

    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
