"""Core: who a member is, and which login ids, nicknames and passwords a person may take."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

LOGIN_ID_CHARACTERS_MIN = 4
LOGIN_ID_CHARACTERS_MAX = 20
# Two Hangul syllables are a whole name; twenty still fit beside a chat line on a phone.
NICKNAME_CHARACTERS_MIN = 2
NICKNAME_CHARACTERS_MAX = 20
PASSWORD_CHARACTERS_MIN = 8
# Long enough for any pass phrase; a bound, because hashing costs time for each byte.
PASSWORD_CHARACTERS_MAX = 128

_LOGIN_ID = re.compile(rf"[a-z0-9_]{{{LOGIN_ID_CHARACTERS_MIN},{LOGIN_ID_CHARACTERS_MAX}}}")

# Letters by Unicode's book, but nothing to see: a nickname of these looks like no name or like another's.
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")

# Alphabets whose letters look like one another's; a name in two of them is somebody else's, written with a trick.
_LOOK_ALIKE_SCRIPTS = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"})

# Names that speak for the house, compared as keys: neither capitals nor full-width letters make another name.
_RESERVED = frozenset(
    {
        *("admin", "administrator", "commeow", "deleted", "guest", "moderator", "null", "official", "operator"),
        *("root", "staff", "support", "system", "undefined"),
        *("공식", "관리자", "매니저", "운영자", "운영진", "탈퇴회원"),
    }
)

# The first guesses of every attacker that are long enough to pass the length rule, casefolded.
_COMMON_PASSWORDS = frozenset(
    {
        *("00000000", "0123456789", "11111111", "111111111", "1111111111", "11223344", "12121212", "123123123"),
        *("12341234", "12344321", "12345678", "123456789", "1234567890", "1234qwer", "12qwaszx", "147258369"),
        *("1q2w3e4r", "1q2w3e4r5t", "1qaz2wsx", "1qazxsw2", "22222222", "66666666", "77777777", "87654321"),
        *("88888888", "987654321", "9876543210", "99999999", "a1234567", "a12345678", "aa123456", "aaaaaaaa"),
        *("abc12345", "abcd1234", "abcdefgh", "asdf1234", "asdfasdf", "asdfghjkl", "baseball", "changeme"),
        *("computer", "dragon123", "football", "iloveyou", "iloveyou1", "letmein1", "liverpool", "p@ssw0rd"),
        *("passw0rd", "password", "password!", "password1", "password12", "password123", "princess", "q1w2e3r4"),
        *("qawsedrf", "qazwsxedc", "qwe12345", "qwer1234", "qwerqwer", "qwerty12", "qwerty123", "qwertyui"),
        *("qwertyuiop", "starwars", "sunshine", "superman", "trustno1", "welcome1", "whatever", "zxcvbnm1"),
        *("zxcvbnm123", "commeow1", "commeow123", "sarang123", "tkfkdgo1", "dkssud123"),
    }
)


class MemberError(Exception):
    """Base of what is wrong with a member's data or standing."""


class LoginIdShape(MemberError):
    """A login id is 4 to 20 of a-z, 0-9 and underscore."""

    def __str__(self) -> str:
        return f"a login id is {LOGIN_ID_CHARACTERS_MIN} to {LOGIN_ID_CHARACTERS_MAX} of a-z, 0-9 and _"


class LoginIdTaken(MemberError):
    """Somebody has this login id."""

    def __init__(self, login_id: str) -> None:
        super().__init__(login_id)
        self.login_id = login_id

    def __str__(self) -> str:
        return f"login id taken: {self.login_id}"


class NicknameShape(MemberError):
    """A nickname is 2 to 20 visible letters and digits, and not a name of the house."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"nickname refused: {self.reason}"


class NicknameTaken(MemberError):
    """Somebody has this nickname, or one that reads the same."""

    def __init__(self, nickname: str) -> None:
        super().__init__(nickname)
        self.nickname = nickname

    def __str__(self) -> str:
        return f"nickname taken: {self.nickname}"


class PasswordWeak(MemberError):
    """A password that is among an attacker's first guesses, or too short or long to hash."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"password refused: {self.reason}"


class MemberUnknown(MemberError):
    """No member of this id or nickname, or one who has left."""

    def __init__(self, who: int | str) -> None:
        super().__init__(who)
        self.who = who

    def __str__(self) -> str:
        return f"no such member: {self.who}"


class MemberBanned(MemberError):
    """The operator has closed the house to this member."""

    def __init__(self, nickname: str) -> None:
        super().__init__(nickname)
        self.nickname = nickname

    def __str__(self) -> str:
        return f"banned: {self.nickname}"


@dataclass(frozen=True, slots=True)
class Member:
    """Who somebody is to the rest of the house."""

    id: int
    nickname: str
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a login is judged by. `password_hash` is a whole argon2 string with its parameters."""

    member: Member
    password_hash: str
    banned: bool


@dataclass(frozen=True, slots=True)
class Profile:
    """What a member has told of themselves, for their own eyes."""

    login_id: str
    nickname: str
    roles: tuple[str, ...]
    created_at: datetime


def check_login_id(text: str) -> str:
    """Return `text` if it may be a login id. Raises LoginIdShape."""
    if _LOGIN_ID.fullmatch(text) is None:
        raise LoginIdShape
    return text


def check_nickname(text: str) -> str:
    """Return the NFC form of `text` if it may be a nickname. Raises NicknameShape.

    Letters of every script, Hangul among them, and decimal digits; nothing that is invisible, combining or punctuation,
    so that a nickname can stand in a path, a chat line and a sentence as it is. Latin, Greek and Cyrillic do not mix
    (UTS 39 §5.2 in small); a name wholly in look-alikes of another passes, and `from` carries the roles that tell.
    """
    nickname = unicodedata.normalize("NFC", text)
    if not NICKNAME_CHARACTERS_MIN <= len(nickname) <= NICKNAME_CHARACTERS_MAX:
        raise NicknameShape(f"not {NICKNAME_CHARACTERS_MIN} to {NICKNAME_CHARACTERS_MAX} characters")
    for character in nickname:
        category = unicodedata.category(character)
        if not (category.startswith("L") or category == "Nd") or character in _INVISIBLE_LETTERS:
            raise NicknameShape(f"U+{ord(character):04X} is not a visible letter or digit")
    scripts = {unicodedata.name(character, "").partition(" ")[0] for character in nickname} & _LOOK_ALIKE_SCRIPTS
    if len(scripts) > 1:
        raise NicknameShape(f"letters of {' and '.join(sorted(scripts))} in one name")
    if nickname_key(nickname) in _RESERVED:
        raise NicknameShape("a name of the house")
    return nickname


def may_be_nickname(text: str) -> bool:
    """Tell whether it is worth looking for a member of this name: strangers write anything into a path."""
    return len(text) <= 2 * NICKNAME_CHARACTERS_MAX and "\0" not in text


def nickname_key(text: str) -> str:
    """Fold `text` so that nicknames which read the same are the same (Unicode's toNFKC_Casefold, nearly)."""
    # Twice: folding can make letters that compose, and the key of a key must be itself.
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", folded).casefold()


def check_password(text: str, login_id: str) -> None:
    """Accept any characters of a decent length that are not the first guess. Raises PasswordWeak."""
    if len(text) < PASSWORD_CHARACTERS_MIN:
        raise PasswordWeak(f"fewer than {PASSWORD_CHARACTERS_MIN} characters")
    if len(text) > PASSWORD_CHARACTERS_MAX:
        raise PasswordWeak(f"more than {PASSWORD_CHARACTERS_MAX} characters")
    if any(unicodedata.category(character) == "Cs" for character in text):
        raise PasswordWeak("half a surrogate pair is no character")  # and cannot be hashed
    if text.casefold() == login_id.casefold():
        raise PasswordWeak("the same as the login id")
    if text.casefold() in _COMMON_PASSWORDS:
        raise PasswordWeak("one of the most common passwords")
