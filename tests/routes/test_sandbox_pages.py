"""The sandbox's pages: whoever sees one knows that no money moves, and nothing sent there becomes markup."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest

from db.order import Standing
from db.sandbox_payment import Payment
from routes import sandbox_pages
from routes.sandbox_pages import base_of, mobile, over, pc, policy
from tests.routes.qr_reader import read as read_qr

PAYMENT = Payment(
    tid="T1",
    cid="TC0ONETIME",
    order_id="order",
    member_id="3",
    item="Commeow 100P",
    total_won=1_200,
    vat_won=109,
    approval_url="https://live.example.org/api/points/orders/1/return",
    cancel_url="https://live.example.org/cancel",
    fail_url="https://live.example.org/fail",
    standing=Standing.WAITING,
    pg_token=None,
    phone=None,
    aid=None,
    captured_won=0,
    canceled_won=0,
    created_at=datetime(2026, 11, 26, tzinfo=UTC),
    approved_at=None,
    canceled_at=None,
)
BASE = base_of(PAYMENT.approval_url)
PAGES = [pc(PAYMENT, base=BASE), pc(PAYMENT, base=BASE, phone_wrong=True), mobile(PAYMENT, base=BASE), over(PAYMENT)]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_in_large_letters_that_no_money_moves(page):
    [warning] = re.findall(r'<p class="no-money">(.*?)</p>', page)

    assert "실제 돈이 오가지 않습니다" in warning
    assert "No money moves" in warning
    assert page.index("no-money") < page.index("<h1>")
    assert re.search(r"\.no-money\{[^}]*font-size:1\.7rem", sandbox_pages.STYLE)
    assert "1,200" in page


def test_the_sandbox_stands_at_the_shops_own_address():
    assert BASE == "https://live.example.org/sandbox-pay"


def test_a_pc_shows_the_same_link_as_a_code_and_as_words_and_takes_a_phone_number():
    page = pc(PAYMENT, base=BASE)
    [drawn] = re.findall(r"<svg.*?</svg>", page)

    assert read_qr(drawn) == f"{BASE}/mobile/T1"
    assert f'href="{BASE}/mobile/T1"' in page
    assert f'action="{BASE}/phone/T1"' in page
    assert 'name="phone"' in page
    assert f'data-state="{BASE}/state/T1"' in page


def test_a_phone_number_that_was_taken_is_not_shown_whole():
    page = pc(replace(PAYMENT, phone="01012345678"), base=BASE)

    assert "010-****-5678" in page
    assert "1234" not in page.replace("010-1234-5678", "")  # But for the example in the empty field.


def test_a_phone_has_a_button_for_each_way():
    page = mobile(PAYMENT, base=BASE)

    assert re.findall(r'name="do" value="([a-z]+)"', page) == ["pay", "cancel", "fail"]
    assert set(re.findall(r'action="([^"]+)"', page)) == {f"{BASE}/pay/T1"}


def test_what_is_over_leads_back():
    assert 'href="https://live.example.org/fail"' in over(PAYMENT)


def test_nothing_that_was_sent_becomes_markup():
    nasty = '"><script>alert(1)</script>'
    payment = replace(PAYMENT, item=nasty, fail_url=f"https://a/{nasty}", phone=f"010{nasty}")

    for page in (pc(payment, base=BASE), mobile(payment, base=BASE), over(payment)):
        assert nasty not in page
        assert nasty in unescape(page)


def test_the_policy_lets_run_what_is_written_here_and_nothing_else():
    said = policy(PAYMENT)

    for page in PAGES:
        for kind, text in re.findall(r"<(style|script)>(.*?)</(?:style|script)>", page, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in said
        assert not re.findall(r'\s(?:style|on[a-z]+)="', page)
    assert "form-action 'self' https://live.example.org;" in said
    assert "default-src 'none'" in said
    assert "frame-ancestors 'none'" in said
