from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from routes.certificates import rtmps_context
from routes.settings import Settings, SettingsError

FOLDER = Path(__file__).parents[1] / "vectors" / "tls"
CERTIFICATE, KEY = FOLDER / "certificate.pem", FOLDER / "key.pem"
# Of another certificate; made by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1`, the second with
# `-aes256 -pass pass:secret`.
OTHER_KEY, LOCKED_KEY = FOLDER / "other_key.pem", FOLDER / "locked_key.pem"


def settings(certificate: Path = CERTIFICATE, key: Path = KEY) -> Settings:
    return Settings(rtmps_port=1936, rtmps_certificate=certificate, rtmps_key=key)


def test_without_a_port_there_is_no_tls():
    assert rtmps_context(Settings()) is None


def test_a_certificate_and_its_key():
    context = rtmps_context(settings())

    assert context is not None
    assert context.verify_mode is ssl.CERT_NONE
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize(
    ("certificate", "key", "setting", "words"),
    [
        (FOLDER / "none.pem", KEY, "COMMEOW_RTMPS_CERTIFICATE", "No such file"),
        (CERTIFICATE, FOLDER / "none.pem", "COMMEOW_RTMPS_KEY", "No such file"),
        (FOLDER, KEY, "COMMEOW_RTMPS_CERTIFICATE", "Is a directory"),
        (FOLDER / "README.md", KEY, "COMMEOW_RTMPS_CERTIFICATE", "do not make a certificate"),
        (CERTIFICATE, FOLDER / "README.md", "COMMEOW_RTMPS_CERTIFICATE", "do not make a certificate"),
        (CERTIFICATE, OTHER_KEY, "COMMEOW_RTMPS_CERTIFICATE", "KEY_VALUES_MISMATCH"),
        (CERTIFICATE, LOCKED_KEY, "COMMEOW_RTMPS_CERTIFICATE", "without a password"),
    ],
)
def test_what_is_wrong_is_one_clear_line(certificate, key, setting, words):
    with pytest.raises(SettingsError) as refused:
        rtmps_context(settings(certificate, key))

    assert refused.value.key == setting
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
