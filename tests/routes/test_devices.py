import pytest

from routes.devices import device_of

_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36", "Chrome/Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/156.0 Safari/537.36 Edg/156.0", "Edge/Windows"),
        (f"{_MAC} AppleWebKit/605.1.15 Version/19.0 Safari/605.1.15", "Safari/macOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", "Firefox/Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) CriOS/156.0 Mobile Safari/604.1", "Chrome/iPhone"),
        ("Mozilla/5.0 (Linux; Android 16) SamsungBrowser/30.0 Chrome/150.0 Mobile", "Samsung Internet/Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Whale/4.0 Safari/537.36", "Whale/Windows"),
        ("curl/8.9", "/"),
        ("", "/"),
    ],
)
def test_a_device_is_named_as_its_owner_would_know_it(user_agent, device):
    assert device_of(user_agent) == device
