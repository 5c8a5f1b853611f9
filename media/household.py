"""Core: what stands for one customer of the network, whose connections and tries count together."""

from __future__ import annotations

import ipaddress
from typing import Final

# RFC 4291, §2.5.1: who has one address of IPv6 has all that share these first bits.
_SHARED_BITS: Final = 64


def household(address: str) -> str:
    """Return an IPv4 address, also where IPv6 maps it, or an IPv6 address's network; what is no address, as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _SHARED_BITS), strict=False))
