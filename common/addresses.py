"""Who sends a request, as far as its address tells."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """Who sends this: behind proxies, whom the outermost of ours saw, as what lies before it anybody may have said."""
    return address_in(request.META)


def address_in(environ: Mapping[str, Any]) -> str:
    """The same of a request's environ."""
    count: int = settings.ENV.proxies
    if not count:
        return str(environ.get("REMOTE_ADDR", ""))
    hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    seen = hops[-count] if count <= len(hops) else ""
    return seen or str(environ.get("REMOTE_ADDR", ""))


def is_within(address: str, networks: str) -> bool:
    """Whether the address lies in one of these networks, which stand with commas between them."""
    try:
        sender = ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(sender, "ipv4_mapped", None)
    return any((mapped or sender) in ip_network(network.strip()) for network in networks.split(",") if network.strip())
