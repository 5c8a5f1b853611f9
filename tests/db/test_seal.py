"""Core: an export is proved line by line, and every way to change one is found."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.seal import FINDINGS_MAX, GENESIS, HEAD_LINE, Head, Proof, end_line, read_head, seal_line

# A grant, a donation and its refund; then another grant under a seal of its own.
FIRST = (
    "1,9,17,500,2,1,1,-500,500,,1764172800000000\n"
    "2,17,34,120,1,2,1,380,120,,1764172800000001\n"
    "5,34,17,120,5,2,3,0,500,2,1764172800000002\n"
)
BLOCKS = (FIRST, "6,9,17,1,2,2,4,-501,501,,1764172800000003\n")


def export(*blocks: str) -> str:
    text, digest = f"{HEAD_LINE}\n", GENESIS
    for number, lines in enumerate(blocks, 1):
        digest = hashlib.sha256(digest + lines.encode()).digest()
        text += lines + seal_line(Head(number, digest), lines.count("\n"))
    return text + end_line(len(blocks), sum(lines.count("\n") for lines in blocks))


def findings(text: str, expected: Head | None = None) -> list[str]:
    proof = Proof(expected)
    for line in text.splitlines(keepends=True):
        proof.feed(line)
    return proof.finish()


WHOLE = export(*BLOCKS)


def test_a_whole_export_is_proved_and_its_head_is_known_again():
    proof = Proof()
    for line in WHOLE.splitlines(keepends=True):
        proof.feed(line)

    assert [] == proof.finish()
    assert 4 == proof.transfers
    assert read_head(str(proof.head)) == proof.head
    assert [] == findings(WHOLE, proof.head)
    assert [] == findings(export())


@pytest.mark.parametrize("text", ["", "1", "1:", "1:ff", "x:" + "0" * 64, "0:" + "0" * 64, "1:" + "g" * 64])
def test_what_is_no_head_is_none(text):
    assert read_head(text) is None


def test_books_that_were_sealed_anew_are_told_by_a_head_that_was_written_down():
    old = Head(1, hashlib.sha256(GENESIS + BLOCKS[0].encode()).digest())
    forged = export(BLOCKS[0].replace("1764172800000001", "1764172800000009"), BLOCKS[1])

    assert [] == findings(WHOLE, old)
    assert [] == findings(forged)
    assert ["seal 1 is not the one that was written down"] == [
        finding.partition(": ")[2] for finding in findings(forged, old)
    ]


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [
        ("2,17,34,120,1", "2,17,34,121,1", "not those that were sealed"),
        ("1764172800000001", "1764172800000002", "not those that were sealed"),
        (BLOCKS[1], "", "the seal covers 1 transfers, here are 0"),
        ("seal,2,", "seal,3,", "seal 2 is due"),
        ("seal,1,3,", "seal,1,4,", "the seal covers 4 transfers, here are 3"),
        ("end,2,4\n", "", "the end line is missing"),
        ("end,2,4\n", "end,2,5\n", "2 seals over 5 transfers are due, here are 2 over 4"),
        ("end,2,4\n", "end,2,4\r", "2 seals over 4\r transfers are due"),
        ("end,2,4\n", "end,+2,0_4\n", "+2 seals over 0_4 transfers are due"),
        ("seal,2,1,", "seal, 2,1,", "seal 2 is due"),
        ("end,2,4\n", "end,2,4\nend,2,4\n", "something follows the end"),
        ("end,2,4\n", BLOCKS[1].replace("6,", "7,", 1) + "end,2,5\n", "1 transfers stand under no seal"),
        (HEAD_LINE, "commeow ledger 2", "this is no export"),
        ("seal,1", "zeal,1", "neither a transfer nor a seal"),
        ("seal,2,1,", "seal,2,1,zz", "not those that were sealed"),
    ],
)
def test_what_was_changed_is_found(was, now, found):
    assert was in WHOLE

    assert any(found in finding for finding in findings(WHOLE.replace(was, now, 1)))


@pytest.mark.parametrize(
    ("was", "now", "found"),
    [
        ("380,120", "381,120", "account 17 has 381 where 380 is due"),
        ("1,2,1,380", "1,3,1,380", "account 17 has version 3 where 2 is due"),
        ("5,34,17,120,5,2,3,0,500,2,", "5,34,17,120,5,2,3,0,500,7,", "transfer 5 reverses 7"),
        ("6,9,17,1,2", "4,9,17,1,2", "transfer 4 does not follow 5"),
        ("6,9,17,1,2,2,4,-501,501", "6,9,17,0,2,2,4,-500,500", "transfer 6 moves nothing"),
        ("2,17,34,120,1,2,1,380,120", "2,17,34,520,1,2,1,-20,520", "account 17 fell to -20"),
        ("2,17,34,120", "2,17,34,x", "whole numbers only"),
    ],
)
def test_books_that_were_wrong_when_they_were_sealed_are_found(was, now, found):
    assert any(was in lines for lines in BLOCKS)

    assert any(found in finding for finding in findings(export(*(lines.replace(was, now, 1) for lines in BLOCKS))))


def test_an_empty_file_and_a_long_list_of_faults():
    assert ["line 0: the file is empty"] == findings("")
    assert FINDINGS_MAX == len(findings(f"{HEAD_LINE}\n" + "x\n" * 100))


@given(st.integers(0, len(WHOLE) - 1), st.characters(codec="ascii"))
def test_no_other_character_goes_unnoticed(place, character):
    changed = WHOLE[:place] + character + WHOLE[place + 1 :]

    assert changed == WHOLE or findings(changed)


@given(st.text(alphabet="0123456789,-sealnd\n", max_size=200))
def test_whatever_a_file_holds_is_judged(text):
    assert findings(text)
