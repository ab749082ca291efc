"""Who sends a request, as far as its address tells."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str:
    """Who sends this: behind proxies, whom the outermost of ours saw, as what lies before it anybody may have said."""
    count: int = settings.ENV.proxies
    if not count:
        return str(request.META.get("REMOTE_ADDR", ""))
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    seen = hops[-count] if count <= len(hops) else ""
    return seen or str(request.META.get("REMOTE_ADDR", ""))


def is_within(address: str, networks: str) -> bool:
    """Whether the address lies in one of these networks, which stand with commas between them."""
    try:
        sender = ip_address(address.strip("[]"))
    except ValueError:
        return False
    mapped = getattr(sender, "ipv4_mapped", None)
    return any((mapped or sender) in ip_network(network.strip()) for network in networks.split(",") if network.strip())
