"""Core: the pages of the sandbox, where a customer pretends to pay: in Korean and English at once, and always clear.

They stand alone, as another company's site would: no script, style or word of our own pages.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from routes import qr

if TYPE_CHECKING:
    from db.sandbox_payment import Payment

ROOT = "/sandbox-pay"
"""Where the sandbox stands on the house's own port."""

STYLE = """
:root{color-scheme:light dark;background:light-dark(#fff,#121212);color:light-dark(#111,#eee);
font:1.1rem/1.5 system-ui,sans-serif}
body{margin:0 auto;max-width:28rem;padding:1rem;text-align:center;word-break:keep-all}
.no-money{margin:0 0 1.5rem;padding:1rem;border:.25rem solid #c00;border-radius:.75rem;font-size:1.7rem;font-weight:800;
line-height:1.25;background:#fff3c4;color:#900}
.won{font-size:2rem;font-weight:700}
.qr{display:block;width:min(16rem,80vw);margin:0 auto 1rem}
form{margin:1rem 0}
input,button{box-sizing:border-box;width:100%;min-height:3rem;margin:.25rem 0;font:inherit;border-radius:.5rem}
button{border:0;background:#fee500;color:#191600;font-weight:700;cursor:pointer}
button.other{background:#ddd;color:#222}
a{color:light-dark(#0050b3,#8ab8ff);word-break:break-all}
:focus-visible{outline:.2rem solid #06c;outline-offset:.15rem}
"""

# Asks every second and a half whether the phone has answered, and goes where it says.
SCRIPT = """
const look = async () => {
  try {
    const answer = await (await fetch(document.body.dataset.state)).json();
    if (answer.next) { location.replace(answer.next); return; }
  } catch {}
  setTimeout(look, 1500);
};
look();
"""


def base_of(approval_url: str) -> str:
    """Give the sandbox's address as the customer reaches it: it stands at the shop's own."""
    shop = urlsplit(approval_url)
    return f"{shop.scheme}://{shop.netloc}{ROOT}"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy(payment: Payment) -> str:
    """Write the Content-Security-Policy of these pages; a form ends at the shop's own site."""
    shop = urlsplit(payment.approval_url)
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash(STYLE)}",
            f"script-src {_hash(SCRIPT)}",
            "connect-src 'self'",
            f"form-action 'self' {shop.scheme}://{shop.netloc}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def pc(payment: Payment, *, base: str, phone_wrong: bool = False) -> str:
    """Show the page for a PC: a code for the phone's camera, the same as a link, or a phone number to send it to."""
    mobile = f"{base}/mobile/{payment.tid}"
    if payment.phone is not None:
        number = escape(_masked(payment.phone))
        sent = f"<p>{number} 번호로 보냈다고 칩니다.<br>Pretend that it was sent to this number.</p>"
    elif phone_wrong:
        sent = '<p role="alert">휴대전화 번호를 확인해 주세요.<br>That is no mobile phone number.</p>'
    else:
        sent = ""
    body = f"""
<div class="qr" role="img" aria-label="QR">{qr.svg(mobile)}</div>
<p>휴대전화 카메라로 찍어 주세요.<br>Scan it with your phone.</p>
<p><a href="{escape(mobile)}">{escape(mobile)}</a></p>
<form method="post" action="{escape(base)}/phone/{escape(payment.tid)}">
<label>휴대전화 번호로 받기 · Send to a phone number
<input name="phone" inputmode="tel" autocomplete="tel" placeholder="010-1234-5678" maxlength="20" required></label>
<button>보내기 · Send</button>
</form>
{sent}
{_way_out(payment, base)}
<script>{SCRIPT}</script>"""
    return _page(payment, body, state=f"{base}/state/{payment.tid}")


def mobile(payment: Payment, *, base: str) -> str:
    """Show the page for a phone: agree, give up, or let it fail."""
    body = f"""
<form method="post" action="{escape(base)}/pay/{escape(payment.tid)}">
<button name="do" value="pay">결제하기(연습) · Pretend to pay</button>
</form>
{_way_out(payment, base)}"""
    return _page(payment, body)


def over(payment: Payment) -> str:
    """Show a payment at which nothing can be done any more, and the way back."""
    body = f"""
<p>끝난 결제입니다.<br>This payment is over.</p>
<p><a href="{escape(payment.fail_url)}">돌아가기 · Go back</a></p>"""
    return _page(payment, body)


def _way_out(payment: Payment, base: str) -> str:
    return f"""<form method="post" action="{escape(base)}/pay/{escape(payment.tid)}">
<button class="other" name="do" value="cancel">취소 · Cancel</button>
<button class="other" name="do" value="fail">실패해 보기 · Let it fail</button>
</form>"""


def _masked(phone: str) -> str:
    """Show who is meant without showing the number to whoever looks over a shoulder."""
    return f"{phone[:3]}-****-{phone[-4:]}"


def _page(payment: Payment, body: str, *, state: str = "") -> str:
    return f"""<!doctype html>
<html lang="ko">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>결제 연습 · Payment sandbox</title>
<style>{STYLE}</style>
</head>
<body data-state="{escape(state)}">
<p class="no-money"><strong>실제 돈이 오가지 않습니다</strong><br><strong lang="en">No money moves</strong></p>
<h1>{escape(payment.item)}</h1>
<p class="won">{payment.total_won:,}원 · ₩{payment.total_won:,}</p>
<p>결제 연습 사이트입니다. · This is a practice site.</p>
{body}
</body>
</html>
"""
