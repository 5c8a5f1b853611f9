"""Core: characters as a reader counts them: the grapheme clusters of Unicode's annex 29, by rule GB1 to GB13.

The standard library has no segmentation. This one takes what is needed from the categories that it does have, and is
held against another implementation (ICU's, in Node) by its test. A chat line is one line: CR and LF do not come here.
Rule GB9c (conjuncts of Indic scripts) is left out: such a pair counts as two.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_JOINER = "\u200d"
_NON_JOINER = "\u200c"

# Extended_Pictographic, in whole blocks: what is not assigned there yet is reserved for pictures.
_PICTURES = (
    (0x00A9, 0x00A9),
    (0x00AE, 0x00AE),
    (0x203C, 0x203C),
    (0x2049, 0x2049),
    (0x2122, 0x2122),
    (0x2139, 0x2139),
    (0x2194, 0x2199),
    (0x21A9, 0x21AA),
    (0x231A, 0x23FF),
    (0x2460, 0x24FF),
    (0x25AA, 0x25FE),
    (0x2600, 0x27BF),
    (0x2934, 0x2935),
    (0x2B05, 0x2B55),
    (0x3030, 0x303D),
    (0x3297, 0x3299),
    (0x1F000, 0x1F0FF),
    (0x1F10D, 0x1F1AD),
    (0x1F201, 0x1F3FA),
    (0x1F400, 0x1FAFF),
)


def clusters(text: str) -> Iterator[int]:
    """Yield the length of each character, in code points."""
    if not text:
        return
    length = 1
    for index in range(1, len(text)):
        if _breaks(text, index):
            yield length
            length = 0
        length += 1
    yield length


def count(text: str) -> int:
    """Count the characters that a reader sees."""
    return len(text) if text.isascii() else sum(1 for _ in clusters(text))


def tallest(text: str) -> int:
    """Answer how many code points the longest character has."""
    return max(clusters(text), default=0)


def _breaks(text: str, index: int) -> bool:
    """Whether a character ends before `index`."""
    before, after = text[index - 1], text[index]
    if before.isascii() and after.isascii():
        return True
    if _is_control(before) or _is_control(after):
        return True  # GB4, GB5
    if _is_hangul_pair(ord(before), ord(after)) or _extends(after):
        return False  # GB6 to GB9a
    if before == _JOINER and _is_picture(after) and _picture_before(text, index - 1):
        return False  # GB11
    if _is_flag_letter(before) and _is_flag_letter(after):
        return _flag_letters_before(text, index) % 2 == 0  # GB12, GB13
    return True  # GB999


def _is_control(char: str) -> bool:
    return char not in (_JOINER, _NON_JOINER) and not _is_tag(char) and unicodedata.category(char) in _CONTROLS


_CONTROLS = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})


def _is_tag(char: str) -> bool:
    return "\U000e0020" <= char <= "\U000e007f"


def _extends(char: str) -> bool:
    """Extend, ZWJ and SpacingMark: what hangs on the character before it."""
    code = ord(char)
    return (
        unicodedata.category(char) in {"Mn", "Me", "Mc"}
        or char in (_JOINER, _NON_JOINER, "\uff9e", "\uff9f", "\u0e33", "\u0eb3")
        or 0x1F3FB <= code <= 0x1F3FF  # Skin tones.
        or _is_tag(char)
    )


def _has_space(char: str) -> bool:
    """SpacingMark and ZWJ: what extends a character, but not the picture before a joiner."""
    return char in (_JOINER, "\u0e33", "\u0eb3") or unicodedata.category(char) == "Mc"


def _is_picture(char: str) -> bool:
    code = ord(char)
    return any(first <= code <= last for first, last in _PICTURES)


def _picture_before(text: str, joiner: int) -> bool:
    index = joiner - 1
    while index >= 0 and _extends(text[index]) and not _has_space(text[index]):
        index -= 1
    return index >= 0 and _is_picture(text[index])


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_letters_before(text: str, index: int) -> int:
    first = index
    while first > 0 and _is_flag_letter(text[first - 1]):
        first -= 1
    return index - first


def _is_hangul_pair(before: int, after: int) -> bool:
    """Whether two conjoining letters of Hangul are of one syllable (leading, vowel, trailing; old ones too)."""
    return _hangul(after) in _SYLLABLE.get(_hangul(before), ())


_SYLLABLE = {"L": ("L", "V", "LV", "LVT"), "V": ("V", "T"), "LV": ("V", "T"), "T": ("T",), "LVT": ("T",)}


def _hangul(code: int) -> str:
    if 0x1100 <= code <= 0x115F or 0xA960 <= code <= 0xA97C:
        return "L"
    if 0x1160 <= code <= 0x11A7 or 0xD7B0 <= code <= 0xD7C6:
        return "V"
    if 0x11A8 <= code <= 0x11FF or 0xD7CB <= code <= 0xD7FB:
        return "T"
    if 0xAC00 <= code <= 0xD7A3:
        return "LVT" if (code - 0xAC00) % 28 else "LV"
    return "-"
