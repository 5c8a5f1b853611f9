from dataclasses import replace

import pytest

from routes.addresses import Addresses, counted_as, household, is_loopback, visitor


def _addresses(host="127.0.0.1", public_url=None):
    return Addresses(host=host, http_port=8080, rsocket_port=6565, rtmp_port=1935, public_url=public_url)


@pytest.mark.parametrize(
    ("host_header", "name"),
    [
        ("localhost:8080", "localhost"),
        ("192.168.0.7:8080", "192.168.0.7"),
        ("[::1]:8080", "[::1]"),
        ("live.example", "live.example"),
        (None, "127.0.0.1"),
        ('evil"><script>', "127.0.0.1"),
        ("a b", "127.0.0.1"),
        ("user@host", "127.0.0.1"),
        ("x" * 254, "127.0.0.1"),
        ("h:80\n", "127.0.0.1"),
    ],
)
def test_visitors_get_the_name_they_used_if_it_may_be_echoed(host_header, name):
    addresses = _addresses()

    assert addresses.rsocket(host_header) == f"ws://{name}:6565/rsocket"
    assert addresses.rtmp(host_header) == f"rtmp://{name}:1935/live"


@pytest.mark.parametrize(
    ("host_header", "site"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("192.168.0.7:18080", "http://192.168.0.7:18080"),  # Behind a forwarded port.
        ("live.example", "http://live.example"),
        ("[::1]:8080", "http://[::1]:8080"),
        (None, "http://127.0.0.1:8080"),
        ('evil"><script>', "http://127.0.0.1:8080"),
        ("h:80\n", "http://127.0.0.1:8080"),
    ],
)
def test_a_visitor_comes_back_to_the_site_he_left(host_header, site):
    assert _addresses().site(host_header) == site
    assert _addresses(public_url="https://live.example").site(host_header) == "https://live.example"


def test_behind_tls_everything_has_the_public_name():
    addresses = _addresses(public_url="https://live.example")

    assert addresses.is_https
    assert addresses.rsocket("whatever") == "wss://live.example/rsocket"
    assert addresses.rtmp("whatever") == "rtmp://live.example:1935/live"
    assert replace(addresses, rtmps_port=1936).rtmp("whatever") == "rtmps://live.example:1936/live"


def test_a_public_url_without_tls_keeps_the_ports():
    addresses = _addresses(public_url="http://[2001:db8::1]:8080")

    assert not addresses.is_https
    assert addresses.rsocket(None) == "ws://[2001:db8::1]:6565/rsocket"


@pytest.mark.parametrize(("host", "name"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("h", "h")])
def test_a_name_that_is_none_is_replaced(host, name):
    assert _addresses(host=host).rsocket(None) == f"ws://{name}:6565/rsocket"


def test_the_sites_own_origins_are_listed_and_no_other():
    assert _addresses(host="0.0.0.0").origins() == {":8080"}
    assert _addresses(public_url="https://live.example/").origins() == {":8080", "https://live.example"}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_known(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", [None, "", "10.0.0.1", "::ffff:10.0.0.1", "1270.0.0.1.example", "::2"])
def test_other_machines_are_not_this_one(address):
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "public_url", "expected"),
    [
        ("127.0.0.1", "203.0.113.7", "https://h", "203.0.113.7"),
        ("::1", "198.51.100.1, 203.0.113.7", "https://h", "203.0.113.7"),
        ("127.0.0.1", " 2001:DB8::1 ", "https://h", "2001:db8::1"),
        ("127.0.0.1", "[2001:db8::1]", "https://h", "2001:db8::1"),
        ("127.0.0.1", "203.0.113.7, unknown", "https://h", "127.0.0.1"),
        ("127.0.0.1", "", "https://h", "127.0.0.1"),
        ("127.0.0.1", None, "https://h", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.7", None, "127.0.0.1"),
        ("192.0.2.1", "203.0.113.7", "https://h", "192.0.2.1"),
        (None, "203.0.113.7", "https://h", None),
    ],
)
def test_only_our_own_proxy_says_for_whom_it_asks(peer, forwarded_for, public_url, expected):
    assert visitor(peer, forwarded_for, public_url=public_url) == expected


@pytest.mark.parametrize(
    ("peer", "said", "public_url", "counted"),
    [
        ("127.0.0.1", None, None, None),
        ("::1", None, None, None),
        (None, None, None, None),
        ("192.0.2.1", None, None, "192.0.2.1"),
        ("::ffff:192.0.2.1", None, None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "https://l.example", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.7", None, None),
        ("127.0.0.1", "203.0.113.9, 198.51.100.7", "https://l.example", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", None, None, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", None, None, "2001:db8:1:2::/64"),
        ("fe80::1%eth0", None, None, "fe80::/64"),
        ("a socket", None, None, "a socket"),
    ],
)
def test_under_which_address_connections_are_counted(peer, said, public_url, counted):
    assert counted_as(peer, said, public_url=public_url) == counted


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (None, None),
        ("127.0.0.1", None),
        ("::ffff:127.0.0.1", None),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
    ],
)
def test_this_machine_stands_for_nobody(address, expected):
    assert household(address) == expected
