"""Door: the operator's settings, from the environment and commeow.toml: read once, checked at once."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME: Final = "commeow.toml"
PREFIX: Final = "COMMEOW_"

PORT_MAX: Final = 65_535
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

PART_MS_MIN: Final = 100
"""Three pictures at thirty a second, and twenty requests a second of each viewer."""

PART_MS_MAX: Final = 498
"""Two parts must fit into the shortest segment, which has a second."""

SECRET_BYTES_MIN: Final = 32
"""HS256 signs with 256 bits; a shorter key is the weakest part of every token (RFC 7518, section 3.2)."""

RSOCKET_WORKERS_MAX: Final = 64
"""One worker fills one core; more than this is a wrong number, not a machine."""

DVR_MINUTES_MAX: Final = 720
"""Twelve hours at 6 Mbit/s are 32 GB of one broadcast's segments."""

DVR_DISK_MB_MAX: Final = 16 * 1024 * 1024
"""Sixteen terabytes: more than this is a wrong number, not a disk."""

RENDITION_HEIGHTS: Final = (144, 240, 360, 480, 540, 720, 1080, 1440, 2160)
"""Lines of picture a rendition of the ladder may have: even numbers, as 4:2:0 wants."""

RENDITIONS_MAX: Final = 5
"""Each rendition but the source costs an encoder; five is the longest ladder in use."""

SOURCE: Final = "source"

SANDBOX: Final = "sandbox"
KAKAOPAY: Final = "kakaopay"
KAKAOPAY_TEST: Final = "kakaopay-test"
KAKAOPAY_URL: Final = "https://open-api.kakaopay.com"
KAKAOPAY_TEST_CID: Final = "TC0ONETIME"

_HOST = re.compile(r"[A-Za-z0-9_.:-]+")


class SettingsError(Exception):
    """A setting is wrong; the text is one line that names the key and the remedy, and never a secret's value."""

    def __init__(self, key: str, trouble: str, remedy: str) -> None:
        super().__init__(key, trouble, remedy)
        self.key = key
        self.trouble = trouble
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.key} {self.trouble}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Stores:
    """What both engines need to share: the two stores and the key that signs tokens."""

    database_url: str
    redis_url: str
    secret: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, checked."""

    host: str = "127.0.0.1"
    """The address that all ports listen on."""
    http_port: int = 8080
    """Pages, HTTP doors and playback."""
    rsocket_port: int = 6565
    """RSocket over WebSocket."""
    rtmp_port: int = 1935
    """Where encoders publish."""
    rtmps_port: int | None = None
    """Where encoders publish by TLS; None for nowhere."""
    rtmps_certificate: Path | None = None
    """The certificate of that port and those it is signed by, in PEM."""
    rtmps_key: Path | None = None
    """The certificate's private key, in PEM, without a password."""
    public_url: str | None = None
    """The site's address as browsers see it, without a slash at its end; None behind no proxy."""
    data: Path = Path(".data")
    """What outlives a process: the embedded servers' data, the secret, segments."""
    database_url: str | None = field(default=None, repr=False)
    """PostgreSQL; None for the embedded one."""
    redis_url: str | None = field(default=None, repr=False)
    """Valkey or Redis; a cluster with the scheme redis+cluster; None for the embedded one."""
    ffmpeg: str | None = None
    """The ffmpeg to use; None for the wheel's."""
    secret: bytes | None = field(default=None, repr=False)
    """Signs tokens; None where the embedded house keeps its own."""
    rsocket_workers: int = 1
    """Processes that share the RSocket port."""
    ladder: tuple[str, ...] = (SOURCE,)
    """The renditions of a broadcast, the source first."""
    part_ms: int = 333
    """Milliseconds of a part of low-latency HLS: 200 is a viewer's delay of a second, and more requests."""
    dvr_minutes: int = 30
    """How far back a viewer may go in a live broadcast."""
    dvr_disk_mb: int = 10_240
    """Megabytes that the past of all broadcasts may take on disk; the largest loses its oldest first."""
    demo: str = "auto"
    """`1`: the demo channel runs; `0`: it does not; `auto`: it does if the embedded database began empty."""
    payments: str = "sandbox"
    """Who takes the money: `sandbox` (nobody), `kakaopay`, or `kakaopay-test` (its test merchant: nobody)."""
    kakaopay_url: str = KAKAOPAY_URL
    """KakaoPay's API."""
    kakaopay_cid: str = KAKAOPAY_TEST_CID
    """The merchant's code; the default is KakaoPay's own test merchant."""
    kakaopay_secret_key: str | None = field(default=None, repr=False)
    """KakaoPay's secret key."""

    @property
    def practice(self) -> frozenset[str]:
        """Payments of earlier days at which no money moved, in a house that takes money now."""
        return frozenset({SANDBOX, KAKAOPAY_TEST}) if self.payments == KAKAOPAY else frozenset()

    @property
    def ports(self) -> dict[str, int]:
        """All ports that are listened on, by the setting that moves each."""
        ports = {
            "COMMEOW_HTTP_PORT": self.http_port,
            "COMMEOW_RSOCKET_PORT": self.rsocket_port,
            "COMMEOW_RTMP_PORT": self.rtmp_port,
        }
        return ports if self.rtmps_port is None else {**ports, "COMMEOW_RTMPS_PORT": self.rtmps_port}

    def require_stores(self) -> Stores:
        """Return what an engine started by itself needs, or raise SettingsError for the first that is missing."""
        remedy = "set it, or start everything with ./commeow"
        if self.database_url is None:
            raise SettingsError("COMMEOW_DATABASE_URL", "is not set", remedy)
        if self.redis_url is None:
            raise SettingsError("COMMEOW_REDIS_URL", "is not set", remedy)
        if self.secret is None:
            raise SettingsError("COMMEOW_SECRET", "is not set", remedy)
        return Stores(self.database_url, self.redis_url, self.secret)


KEYS: Final = frozenset(PREFIX + one.name.upper() for one in fields(Settings))
"""The names of all settings: each field of Settings, as the environment spells it."""


def from_environment() -> Settings:
    """Read the process's environment and commeow.toml in the working folder; raise SettingsError."""
    try:
        toml = Path(FILE_NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        toml = None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            FILE_NAME, f"cannot be read ({error})", "make it readable UTF-8 text, or remove it"
        ) from error
    return read(os.environ, toml)


def read(environ: Mapping[str, str], toml: str | None) -> Settings:
    """Check and return the settings.

    Args:
        environ: variables; those of ours win over the file. An empty one counts as not set.
        toml: the text of commeow.toml, None if there is no such file.

    Raises SettingsError for the first setting that is wrong.
    """
    given = _Given(_from_toml(toml) | {key: environ[key].strip() for key in KEYS if environ.get(key, "").strip()})
    settings = Settings(
        host=given.host(),
        http_port=given.number("COMMEOW_HTTP_PORT", 8080, most=PORT_MAX),
        rsocket_port=given.number("COMMEOW_RSOCKET_PORT", 6565, most=PORT_MAX),
        rtmp_port=given.number("COMMEOW_RTMP_PORT", 1935, most=PORT_MAX),
        rtmps_port=given.number_or_none("COMMEOW_RTMPS_PORT", most=PORT_MAX),
        rtmps_certificate=given.path("COMMEOW_RTMPS_CERTIFICATE"),
        rtmps_key=given.path("COMMEOW_RTMPS_KEY"),
        public_url=given.public_url(),
        data=Path(given.text("COMMEOW_DATA") or ".data"),
        database_url=given.url("COMMEOW_DATABASE_URL", "postgresql", "postgres"),
        redis_url=given.redis_url(),
        ffmpeg=given.text("COMMEOW_FFMPEG"),
        secret=given.secret(),
        rsocket_workers=given.number("COMMEOW_RSOCKET_WORKERS", 1, most=RSOCKET_WORKERS_MAX),
        ladder=given.ladder(),
        part_ms=given.number("COMMEOW_PART_MS", 333, least=PART_MS_MIN, most=PART_MS_MAX),
        dvr_minutes=given.number("COMMEOW_DVR_MINUTES", 30, most=DVR_MINUTES_MAX),
        dvr_disk_mb=given.number("COMMEOW_DVR_DISK_MB", 10_240, most=DVR_DISK_MB_MAX),
        demo=given.choice("COMMEOW_DEMO", "auto", "0", "1"),
        payments=given.choice("COMMEOW_PAYMENTS", SANDBOX, KAKAOPAY, KAKAOPAY_TEST),
        kakaopay_url=given.url("COMMEOW_KAKAOPAY_URL", "https", "http") or KAKAOPAY_URL,
        kakaopay_cid=given.text("COMMEOW_KAKAOPAY_CID") or KAKAOPAY_TEST_CID,
        kakaopay_secret_key=given.text("COMMEOW_KAKAOPAY_SECRET_KEY"),
    )
    _check_together(settings)
    return settings


def find_ffmpeg(settings: Settings) -> str | None:
    """Return the ffmpeg to use: the setting's, the wheel's, the system's; None if there is none at all.

    Raises SettingsError if the setting names something that cannot be run.
    """
    if settings.ffmpeg is not None:
        found = shutil.which(settings.ffmpeg)
        if found is None:
            remedy = "set it to an ffmpeg that can be run, or leave it out to use the one that is installed with us"
            raise SettingsError("COMMEOW_FFMPEG", f"is {settings.ffmpeg!r}, which is no program", remedy)
        return found
    try:
        import imageio_ffmpeg  # noqa: PLC0415 (there is no wheel for every processor)

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return shutil.which("ffmpeg")


def find_voice() -> str | None:
    """Return the program that reads gifts aloud in overlays, if this machine has it."""
    return shutil.which("espeak-ng")


def _from_toml(toml: str | None) -> dict[str, str]:
    try:
        table = tomllib.loads(toml or "")
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(FILE_NAME, f"is no TOML ({error})", "mend that line") from error
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, 1)
            raise SettingsError(key, f"in {FILE_NAME} is no setting", f"write {near[0]}" if near else "remove it")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise SettingsError(key, f"in {FILE_NAME} is {value!r}", "write a text in quotes, or a whole number")
    return {key: text for key, value in table.items() if (text := str(value).strip())}


def _check_together(settings: Settings) -> None:
    ports: dict[str, int] = {}
    for key, port in settings.ports.items():
        for other, taken in ports.items():
            if port == taken:
                raise SettingsError(key, f"is {port}, as {other} is", "give each its own port")
        ports[key] = port
    _check_rtmps(settings)
    if settings.payments != SANDBOX:
        _check_kakaopay(settings)


def _check_rtmps(settings: Settings) -> None:
    given = {
        "COMMEOW_RTMPS_PORT": settings.rtmps_port,
        "COMMEOW_RTMPS_CERTIFICATE": settings.rtmps_certificate,
        "COMMEOW_RTMPS_KEY": settings.rtmps_key,
    }
    missing = [key for key, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        present = next(key for key, value in given.items() if value is not None)
        raise SettingsError(missing[0], f"is not set, but {present} is", "set all three for RTMPS, or none")


def _check_kakaopay(settings: Settings) -> None:
    """See that the test merchant and money never meet: with it every payment succeeds, and nobody has paid."""
    if settings.kakaopay_secret_key is None:
        remedy = "set it to your KakaoPay secret key, or COMMEOW_PAYMENTS to sandbox"
        raise SettingsError(
            "COMMEOW_KAKAOPAY_SECRET_KEY", f"is not set, but COMMEOW_PAYMENTS is {settings.payments}", remedy
        )
    is_test_merchant = settings.kakaopay_cid == KAKAOPAY_TEST_CID
    if settings.payments == KAKAOPAY and is_test_merchant:
        remedy = f"set the merchant code of your contract, or COMMEOW_PAYMENTS to {KAKAOPAY_TEST}"
        raise SettingsError("COMMEOW_KAKAOPAY_CID", f"is {KAKAOPAY_TEST_CID}, with which nobody pays", remedy)
    if settings.payments == KAKAOPAY_TEST and not is_test_merchant:
        remedy = f"leave it out, or set COMMEOW_PAYMENTS to {KAKAOPAY} to take money"
        raise SettingsError("COMMEOW_KAKAOPAY_CID", f"is not {KAKAOPAY_TEST_CID}, the merchant to test with", remedy)
    parts = urlsplit(settings.kakaopay_url)
    if parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise SettingsError("COMMEOW_KAKAOPAY_URL", "would send the secret key in clear text", "begin it with https://")


class _Given:
    """What was given, by key; each method reads one kind of value, or raises SettingsError."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, key: str) -> str | None:
        return self._values.get(key)

    def number(self, key: str, default: int, *, most: int, least: int = 1) -> int:
        text = self._values.get(key)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise SettingsError(key, f"is {text!r}", f"set a whole number from {least} to {most}")
        return int(text)

    def number_or_none(self, key: str, *, most: int) -> int | None:
        return None if key not in self._values else self.number(key, 0, most=most)

    def path(self, key: str) -> Path | None:
        text = self._values.get(key)
        return None if text is None else Path(text)

    def choice(self, key: str, *words: str) -> str:
        text = self._values.get(key, words[0])
        if text not in words:
            raise SettingsError(key, f"is {text!r}", f"set one of {', '.join(words)}")
        return text

    def host(self) -> str:
        text = self._values.get("COMMEOW_HOST", "127.0.0.1")
        if not _HOST.fullmatch(text):
            raise SettingsError("COMMEOW_HOST", f"is {text!r}", "set a host name or an address, as 127.0.0.1")
        return text

    def url(self, key: str, *schemes: str) -> str | None:
        text = self._values.get(key)
        if text is None:
            return None
        scheme, separator, rest = text.partition("://")
        if scheme not in schemes or not separator or not rest or re.search(r"\s", text):
            # The value is not shown: it may hold a password.
            raise SettingsError(key, "is no address of the right kind", f"begin it with {schemes[0]}://")
        return text

    def redis_url(self) -> str | None:
        key = "COMMEOW_REDIS_URL"
        text = self.url(key, "redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
        if text is None or text.startswith("unix:"):
            return text
        hosts = text.partition("://")[2].partition("/")[0].rpartition("@")[2].split(",")
        try:
            # Reading a port raises where it is none. A list of hosts is for a cluster alone.
            whole = all(urlsplit(f"//{host}").hostname and urlsplit(f"//{host}").port != 0 for host in hosts)
        except ValueError:
            whole = False
        if not whole or (len(hosts) > 1 and "+cluster:" not in text):
            raise SettingsError(
                key, "names no server", "write redis://HOST:PORT, or redis+cluster://HOST:PORT,HOST:PORT of a cluster"
            )
        return text

    def public_url(self) -> str | None:
        key = "COMMEOW_PUBLIC_URL"
        text = self.url(key, "https", "http")
        if text is None:
            return None
        try:
            parts = urlsplit(text)
            whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            whole = False
        if not whole or parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
            raise SettingsError(key, f"is {text!r}", "set scheme, host and port only, as https://live.example.org")
        # As browsers write an Origin (RFC 6454 §6): lower case, and no port that goes without saying.
        scheme, host = parts.scheme, parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        port = "" if parts.port in {None, DEFAULT_PORTS[scheme]} else f":{parts.port}"
        return f"{scheme}://{host}{port}"

    def secret(self) -> bytes | None:
        text = self._values.get("COMMEOW_SECRET")
        if text is None:
            return None
        secret = text.encode()
        if len(secret) < SECRET_BYTES_MIN:
            trouble = f"has {len(secret)} bytes, fewer than {SECRET_BYTES_MIN}"
            raise SettingsError("COMMEOW_SECRET", trouble, "set a random text, as `openssl rand -hex 32` prints")
        return secret

    def ladder(self) -> tuple[str, ...]:
        text = self._values.get("COMMEOW_LADDER", SOURCE)
        names = tuple(name.strip() for name in text.split(","))
        known = {SOURCE, *(f"{height}p" for height in RENDITION_HEIGHTS)}
        right = names[0] == SOURCE and set(names) <= known and len(set(names)) == len(names) <= RENDITIONS_MAX
        if not right:
            heights = ", ".join(f"{height}p" for height in RENDITION_HEIGHTS)
            remedy = f"set source, then at most {RENDITIONS_MAX - 1} different ones of {heights}"
            raise SettingsError("COMMEOW_LADDER", f"is {text!r}", remedy)
        return names
