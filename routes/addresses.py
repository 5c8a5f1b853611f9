"""Core: the house's own addresses, as the visitor who asks must write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from media.household import household as household_of

# RFC 9110 §7.2, without user information: what may be echoed into a page.
_HOST = re.compile(r"\A([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a name to be replaced, not bound.


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where each part listens (`host`, ports), and the site's URL when a proxy stands before it (`public_url`)."""

    host: str
    http_port: int
    rsocket_port: int
    rtmp_port: int
    public_url: str | None
    rtmps_port: int | None = None

    @property
    def is_https(self) -> bool:
        """Whether visitors come by TLS: then cookies are Secure and browsers are told to stay with it."""
        return self.public_url is not None and self.public_url.startswith("https:")

    def name(self, host_header: str | None) -> str:
        """Give the host name the visitor used, without a port; our own when he sent none that may be echoed."""
        if self.public_url is not None:
            return _bracketed(urlsplit(self.public_url).hostname or "")
        match = _HOST.match(host_header or "")
        return match.group(1) if match else self._own_name

    def site(self, host_header: str | None) -> str:
        """Give the site's URL as the visitor wrote it, without a slash at its end."""
        if self.public_url is not None:
            return self.public_url
        if host_header is not None and _HOST.match(host_header):
            return f"http://{host_header}"
        return f"http://{self._own_name}:{self.http_port}"

    @property
    def _own_name(self) -> str:
        return _bracketed(reachable(self.host))

    def rsocket(self, host_header: str | None) -> str:
        """Give the RSocket URL. Behind TLS the proxy passes /rsocket on, because a page may not mix ws into https."""
        if self.is_https:
            assert self.public_url is not None
            return f"wss://{urlsplit(self.public_url).netloc}/rsocket"
        return f"ws://{self.name(host_header)}:{self.rsocket_port}/rsocket"

    def rtmp(self, host_header: str | None) -> str:
        """Give the encoder's server URL, by TLS where there is any; any application name is taken, `live` is ours."""
        if self.rtmps_port is not None:
            return f"rtmps://{self.name(host_header)}:{self.rtmps_port}/live"
        return f"rtmp://{self.name(host_header)}:{self.rtmp_port}/live"

    def origins(self) -> frozenset[str]:
        """Give the origins whose pages may open an RSocket connection.

        They are the site by its public URL, and the site by whatever name a visitor uses for the host he connects to
        (an entry like `:8080`, see rsocket_server/server.py).
        """
        own = {f":{self.http_port}"}
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            own.add(f"{parts.scheme}://{parts.netloc}")
        return frozenset(own)


def visitor(peer: str | None, forwarded_for: str | None, *, public_url: str | None) -> str | None:
    """Give the address of whoever asks: the peer's, or what a proxy on this machine says of whom it speaks for.

    A proxy appends the address it heard from to X-Forwarded-For, so only the last one is its own word. It is believed
    where `public_url` says that a proxy stands before the site and the peer is this machine; from anybody else the
    header is a stranger's invention.
    """
    if public_url is None or forwarded_for is None or not is_loopback(peer):
        return peer
    said = forwarded_for.rpartition(",")[2].strip()
    try:
        return str(ip_address(said.removeprefix("[").partition("]")[0] if said.startswith("[") else said))
    except ValueError:
        return peer


def counted_as(peer: str | None, forwarded_for: str | None, *, public_url: str | None) -> str | None:
    """Say under which address a visitor's connections are counted; None for this machine, which is not counted."""
    return household(visitor(peer, forwarded_for, public_url=public_url))


def household(address: str | None) -> str | None:
    """Say what stands for one customer of the network (`media.household`); None for this machine.

    That is the operator's own, or a proxy that does not say for whom it asks: a limit there would lock out everybody.
    """
    return None if address is None or is_loopback(address) else household_of(address)


def is_loopback(address: str | None) -> bool:
    """Say whether a peer's address is this very machine."""
    return address is not None and (address == "::1" or address.removeprefix("::ffff:").startswith("127."))


def reachable(host: str) -> str:
    """Give the address under which this machine itself reaches what listens on `host`."""
    return _ANY.get(host, host)


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
