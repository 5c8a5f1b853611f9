"""Core: a line that shows all that it holds, in the order in which it stands there.

Format characters turn a line's direction or hide in it. Some are spelling: the two joiners (emoji, Persian, Hindi), and
the tag characters of the three flags that Unicode recommends for interchange (UTS 51, RGI_Emoji_Tag_Sequence). The
browser's core of this name takes the others out before anything is sent; tests/vectors/plain_text holds both.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"
# A black flag, the place in tag letters, and the tag that ends them.
_FLAGS = re.compile(
    "|".join(
        "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in place) + "\U000e007f"
        for place in ("gbeng", "gbsct", "gbwls")
    )
)


def is_plain(line: str) -> bool:
    """Tell whether a line holds no control, no format character but what spells, and no half of a surrogate pair."""
    if line.isascii():
        return line.isprintable()
    rest = _FLAGS.sub("", line)
    return not any(unicodedata.category(each) in {"Cc", "Cf", "Cs"} and each not in _JOINERS for each in rest)
