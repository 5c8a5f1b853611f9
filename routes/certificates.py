"""Door: the operator's certificate for the RTMPS port, or one line that says what is wrong with it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from routes.settings import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from routes.settings import Settings

REMEDY: Final = "set the path of a PEM file that this user may read"


def rtmps_context(settings: Settings) -> ssl.SSLContext | None:
    """Return what the RTMPS port speaks TLS with; None where there is no such port. Raises SettingsError."""
    if settings.rtmps_port is None:
        return None
    assert settings.rtmps_certificate is not None
    assert settings.rtmps_key is not None
    _check_readable("COMMEOW_RTMPS_CERTIFICATE", settings.rtmps_certificate)
    _check_readable("COMMEOW_RTMPS_KEY", settings.rtmps_key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A publisher could make us work for it as often as it likes.
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        # Without a password of ours OpenSSL would ask the terminal for one.
        context.load_cert_chain(settings.rtmps_certificate, settings.rtmps_key, password="")
    except ssl.SSLError as error:
        trouble = f"and COMMEOW_RTMPS_KEY do not make a certificate ({error.reason or 'no PEM'})"
        remedy = "set a certificate in PEM and its own key, without a password"
        raise SettingsError("COMMEOW_RTMPS_CERTIFICATE", trouble, remedy) from error
    return context


def _check_readable(key: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise SettingsError(key, f"is {str(path)!r}, which cannot be read ({error.strerror})", REMEDY) from error
