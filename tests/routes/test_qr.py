"""A link as a picture: read back by a reader that knows nothing of the writer."""

import xml.etree.ElementTree as ET

import pytest

from routes import qr
from tests.routes.qr_reader import modules, read

LINKS = [
    "https://a.example/1",
    "http://127.0.0.1:8080/sandbox-pay/mobile/T0123456789ABCDEF012",
    "https://online-pay.kakaopay.com/mockup/v1/0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9/mInfo",
    f"https://live.example.org/{'x' * 170}?q=고양이",
]


@pytest.mark.parametrize("link", LINKS)
def test_a_camera_reads_the_link(link):
    assert read(qr.svg(link)) == link


def test_the_code_is_black_on_white_with_its_margin_and_takes_the_size_of_its_place():
    root = ET.fromstring(qr.svg(LINKS[0]))

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {"width", "height"} & set(root.attrib) == set()
    assert [path.get("fill") or path.get("stroke") for path in root] == ["#fff", "#000"]
    grid = modules(qr.svg(LINKS[0]), border=0)
    assert not any(any(row) for row in (*grid[: qr.QUIET_MODULES], *grid[-qr.QUIET_MODULES :]))
    assert not any(any((*row[: qr.QUIET_MODULES], *row[-qr.QUIET_MODULES :])) for row in grid)


def test_nothing_in_a_link_can_leave_the_picture():
    drawn = qr.svg('"><script>alert(1)</script>')

    assert "script" not in drawn
    assert read(drawn) == '"><script>alert(1)</script>'


def test_a_code_is_drawn_once():
    assert qr.svg(LINKS[0]) is qr.svg(LINKS[0])
    assert qr.svg.cache_info().maxsize == qr.QR_KEPT_MAX
