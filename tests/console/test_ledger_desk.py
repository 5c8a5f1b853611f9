"""The verbs on the books, as an operator or a script calls them."""

from __future__ import annotations

import json
from functools import partial

import pytest

from db.ledger import Ledger
from db.members import Members


@pytest.fixture
async def books(tmp_path, pool):
    """Books with two grants in them, and where an export of them goes."""
    member = await Members(pool).add(login_id="nabi_1", nickname="나비", password_hash="-", stream_key_hash=b"\1" * 32)
    for points in (500, 300):
        await Ledger(pool).grant(member.id, points, "test")
    return tmp_path / "books.txt"


@pytest.fixture
def desk(books, commeow):
    return partial(commeow, "ledger")


async def test_an_export_is_proved_and_holds_what_was_written_down(desk, books):
    code, printed, _ = await desk("export", books, "--json")
    said = json.loads(printed)

    assert (code, said["transfers"], said["seals"]) == (0, 2, 1)
    assert 0 == (await desk("verify", books))[0]
    code, printed, _ = await desk("verify", books, "--json", "--head", said["head"])
    assert (code, json.loads(printed)) == (0, {"whole": True, "transfers": 2, "head": said["head"], "findings": []})
    code, printed, _ = await desk("export", books)
    assert (0, True) == (code, said["head"] in printed)


async def test_a_changed_export_is_not_proved(desk, books):
    await desk("export", books)
    books.write_text(books.read_text().replace(",500,", ",501,", 1))

    code, printed, _ = await desk("verify", books)

    assert 1 == code
    assert "NOT the books" in printed
    code, printed, _ = await desk("verify", books, "--json")
    assert (1, False) == (code, json.loads(printed)["whole"])


async def test_a_forged_past_is_told_by_the_head(desk, books, pool):
    head = json.loads((await desk("export", books, "--json"))[1])["head"]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE transfer SET created_at = now(); DELETE FROM seal")
    await desk("export", books)

    assert 0 == (await desk("verify", books))[0]
    code, printed, _ = await desk("verify", books, "--head", head)
    assert (1, True) == (code, "seal 1 is not the one that was written down" in printed)


@pytest.mark.parametrize(
    "words", [("verify", "nothing.txt"), ("verify", "books.txt", "--head", "1:2"), ("export", "no/such/folder.txt")]
)
async def test_what_cannot_be_done_is_one_line(desk, books, words):
    books.write_text("")

    code, printed, complained = await desk(*words)

    assert (1, "") == (code, printed)
    assert 1 == len(complained.splitlines())


async def test_the_audit_answers_a_person_and_a_script(desk, pool):
    assert (0, "the books balance\n", "") == await desk("audit")
    assert {"balanced": True, "findings": []} == json.loads((await desk("audit", "--json"))[1])
    await pool.execute("UPDATE account SET balance = balance + 1 WHERE id = 9")
    code, printed, _ = await desk("audit", "--json")
    spoken = await desk("audit")
    await pool.execute("UPDATE account SET balance = balance - 1 WHERE id = 9")

    assert (1, False) == (code, json.loads(printed)["balanced"])
    assert "the books do not balance" in spoken[1]


async def test_a_report_is_made_once_for_a_day_that_is_over(desk):
    first, again = await desk("report"), await desk("report", "--json")

    assert 0 == first[0]
    assert "issued: -800 points in all" in first[1]
    assert "issued: -800 points in all" in json.loads(again[1])["lines"]
    code, _, complained = await desk("report", "--day", "9999-01-01")
    assert (1, True) == (code, "not over yet" in complained)
