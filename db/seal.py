"""Core: the seals over the books, and the proof of an export: line by line, without the database.

An export is text: a head line, then each transfer as the seal has hashed it (`transfer_line` in db/migrations/), after
each block its seal, and one end line. A digest is SHA-256 over the digest before it and the lines of its block.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from db.transfer import ACCOUNT_KINDS, HOUSE_KIND_MIN

HEAD_LINE = "commeow ledger 1"
GENESIS = bytes(32)

# Whoever reads findings mends the first ones first.
FINDINGS_MAX = 20

_TRANSFER_FIELDS = 11
_SEAL_FIELDS = 4
_END_FIELDS = 3
# As PostgreSQL writes a bigint.
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Head:
    """A seal by its number and digest: written down elsewhere, it holds all that came before."""

    number: int
    digest: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.digest.hex()}"


def read_head(text: str) -> Head | None:
    """Read what `Head` prints; None if it is something else."""
    number, _, digest = text.strip().partition(":")
    try:
        head = Head(int(number), bytes.fromhex(digest))
    except ValueError:
        return None
    return head if len(head.digest) == len(GENESIS) and head.number > 0 else None


def seal_line(head: Head, transfers: int) -> str:
    """Write a seal behind the lines that it covers."""
    return f"seal,{head.number},{transfers},{head.digest.hex()}\n"


def end_line(seals: int, transfers: int) -> str:
    """Write the end: a file that is cut has none."""
    return f"end,{seals},{transfers}\n"


@dataclass(slots=True)
class _Pocket:
    version: int = 0
    balance: int = 0


@dataclass(slots=True)
class Proof:
    """Judges an export: `feed` it every line with its line end, then `finish`.

    The chain shows that nothing was changed since it was sealed; the sums show that it was right when it was written.

    Attributes:
        findings: what is wrong, at most FINDINGS_MAX; empty if the books are whole.
        transfers: how many were read.
        head: the last seal.
    """

    expected: Head | None = None
    findings: list[str] = field(default_factory=list)
    transfers: int = 0
    head: Head | None = None
    _line: int = 0
    _ended: bool = False
    _last_id: int = 0
    _block: int = 0
    _digest: hashlib._Hash = field(default_factory=lambda: hashlib.sha256(GENESIS))
    _pockets: dict[int, _Pocket] = field(default_factory=dict)
    _reversed: set[int] = field(default_factory=set)
    _met: bool = False

    def feed(self, line: str) -> None:
        """Take the next line."""
        self._line += 1
        if self._line == 1:
            if line.rstrip("\n") != HEAD_LINE:
                self._find(f"this is no export: it does not begin with {HEAD_LINE}")
            return
        fields = line.rstrip("\n").split(",")
        if self._ended:
            self._find("something follows the end")
        elif fields[0] == "seal" and len(fields) == _SEAL_FIELDS:
            self._seal(fields)
        elif fields[0] == "end" and len(fields) == _END_FIELDS:
            self._end(fields)
        elif len(fields) == _TRANSFER_FIELDS:
            self._transfer(line, fields)
        else:
            self._find("neither a transfer nor a seal")

    def finish(self) -> list[str]:
        """Return the findings, when the last line has been fed."""
        if self._line == 0:
            self._find("the file is empty")
        elif not self._ended:
            self._find("the end line is missing: the file is cut")
        if self.expected is not None and not self._met:
            self._find(f"seal {self.expected.number} is not the one that was written down")
        return self.findings

    def _find(self, words: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(f"line {self._line}: {words}")

    def _seal(self, fields: list[str]) -> None:
        number, transfers = _number(fields[1]), _number(fields[2])
        digest = self._digest.digest()
        due = 1 if self.head is None else self.head.number + 1
        if number != due:
            self._find(f"seal {due} is due")
        if transfers != self._block:
            self._find(f"the seal covers {fields[2]} transfers, here are {self._block}")
        if fields[3] != digest.hex():
            self._find("the transfers before it are not those that were sealed")
        # Go on from what is written, so that one changed row is one finding and not one for each seal behind it.
        written = bytes.fromhex(fields[3]) if _is_digest(fields[3]) else digest
        self.head = Head(due, written)
        if self.head == self.expected:
            self._met = True
        self._digest = hashlib.sha256(written)
        self._block = 0

    def _end(self, fields: list[str]) -> None:
        self._ended = True
        seals = 0 if self.head is None else self.head.number
        if self._block:
            self._find(f"{self._block} transfers stand under no seal")
        if (_number(fields[1]), _number(fields[2])) != (seals, self.transfers):
            self._find(f"{fields[1]} seals over {fields[2]} transfers are due, here are {seals} over {self.transfers}")

    def _transfer(self, line: str, fields: list[str]) -> None:
        self._digest.update(line.encode())
        self._block += 1
        self.transfers += 1
        numbers = [_number(each) for each in (*fields[:9], fields[9] or "0", fields[10])]
        if any(number is None for number in numbers):
            self._find("a transfer holds whole numbers only")
            return
        id_, debit, credit, amount, _, debit_version, credit_version, debit_after, credit_after, reverses, _ = (
            number or 0 for number in numbers
        )
        if id_ <= self._last_id:
            self._find(f"transfer {id_} does not follow {self._last_id}")
        self._last_id = id_
        if amount <= 0 or debit == credit:
            self._find(f"transfer {id_} moves nothing")
        self._post(id_, debit, -amount, debit_version, debit_after)
        self._post(id_, credit, amount, credit_version, credit_after)
        if reverses:
            if reverses >= id_ or reverses in self._reversed:
                self._find(f"transfer {id_} reverses {reverses}, which is later or reversed already")
            self._reversed.add(reverses)

    def _post(self, id_: int, account: int, points: int, version: int, after: int) -> None:
        pocket = self._pockets.setdefault(account, _Pocket())
        if version != pocket.version + 1:
            self._find(f"transfer {id_}: account {account} has version {version} where {pocket.version + 1} is due")
        if after != pocket.balance + points:
            self._find(f"transfer {id_}: account {account} has {after} where {pocket.balance + points} is due")
        if after < 0 and account % ACCOUNT_KINDS < HOUSE_KIND_MIN:
            self._find(f"transfer {id_}: account {account} fell to {after}")
        pocket.version, pocket.balance = version, after


def _number(text: str) -> int | None:
    # Not `int`, which also reads "+1", "1_000", " 1" and "1\r": one number, one spelling, or a change goes unnoticed.
    return int(text) if _NUMBER.fullmatch(text) else None


def _is_digest(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == len(GENESIS)
    except ValueError:
        return False
