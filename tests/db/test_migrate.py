"""Shell: schema changes on a real PostgreSQL: once each, one runner at a time, nothing edited, nothing half done."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from db import migrate as migrate_module
from db.errors import StoreUnavailable
from db.migrate import MIGRATIONS, MigrationEdited, MigrationMalformed, SchemaNewer, migrate, missing, read_folder
from db.pool import open_pool

ONE = "-- migrate:up\nCREATE TABLE one (id int);\n-- migrate:down\nDROP TABLE one;\n"
TWO = "-- migrate:up\nCREATE TABLE two (id int);\nINSERT INTO two VALUES (1);\n"


@pytest.fixture
async def empty_url(postgres_server):
    """The address of an empty database of the test's own."""
    connection = await asyncpg.connect(postgres_server)
    await connection.execute("CREATE DATABASE migrate_me TEMPLATE template0")
    yield postgres_server.replace("/postgres?", "/migrate_me?")
    await connection.execute("DROP DATABASE migrate_me WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def database(empty_url):
    connection = await asyncpg.connect(empty_url)
    yield connection
    await connection.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "20260101000000_one.sql").write_text(ONE)
    (tmp_path / "20260102000000_two.sql").write_text(TWO)
    return tmp_path


async def test_each_file_is_applied_once_in_order(empty_url, database, folder):
    assert ["20260101000000_one.sql", "20260102000000_two.sql"] == await migrate(empty_url, folder=folder)
    assert [] == await migrate(empty_url, folder=folder)
    assert 1 == await database.fetchval("SELECT count(*) FROM two")
    assert ["20260101000000", "20260102000000"] == [
        row["version"] for row in await database.fetch("SELECT version FROM schema_migrations ORDER BY version")
    ]


async def test_of_five_at_once_one_applies_and_four_find_it_done(empty_url, folder):
    answers = await asyncio.gather(*(migrate(empty_url, folder=folder) for _ in range(5)))

    assert [0, 0, 0, 0, 2] == sorted(len(answer) for answer in answers)


async def test_our_own_files_build_our_schema_and_its_books_balance(empty_url, database):
    names = await migrate(empty_url)

    assert sorted(path.name for path in MIGRATIONS.glob("*.sql")) == names
    assert [] == await database.fetch("SELECT * FROM ledger_audit()")
    assert [9, 10, 11] == [row["id"] for row in await database.fetch("SELECT id FROM account ORDER BY id")]
    assert [] == await database.fetch("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")


async def test_our_own_files_can_be_taken_back_and_applied_again(empty_url, database):
    await migrate(empty_url)
    for path in sorted(MIGRATIONS.glob("*.sql"), reverse=True):
        await database.execute(path.read_text().partition("-- migrate:down")[2].partition("\n")[2])
    assert {"schema_migrations", "schema_migration_checksums"} == {
        row["tablename"] for row in await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    await database.execute("DELETE FROM schema_migrations")

    assert len(list(MIGRATIONS.glob("*.sql"))) == len(await migrate(empty_url))


async def test_an_edited_file_is_refused_and_nothing_is_applied(empty_url, database, folder):
    (folder / "20260102000000_two.sql").unlink()
    await migrate(empty_url, folder=folder)
    (folder / "20260101000000_one.sql").write_text(ONE.replace("int", "bigint"))
    (folder / "20260102000000_two.sql").write_text(TWO)

    with pytest.raises(MigrationEdited, match=r"20260101000000_one\.sql was edited"):
        await migrate(empty_url, folder=folder)
    assert await database.fetchval("SELECT to_regclass('two')") is None


async def test_a_better_way_back_is_no_edit(empty_url, folder):
    await migrate(empty_url, folder=folder)
    (folder / "20260101000000_one.sql").write_text(ONE + "DROP TABLE IF EXISTS rest;\n")

    assert [] == await migrate(empty_url, folder=folder)


async def test_a_database_newer_than_the_code_is_refused(empty_url, folder):
    await migrate(empty_url, folder=folder)
    (folder / "20260102000000_two.sql").unlink()

    with pytest.raises(SchemaNewer, match=r"20260102000000.*update the code"):
        await migrate(empty_url, folder=folder)


async def test_a_file_that_fails_leaves_nothing_and_those_before_it_stand(empty_url, database, folder):
    (folder / "20260102000000_two.sql").write_text("-- migrate:up\nCREATE TABLE two (id int);\nSELECT 1 / 0;\n")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_url, folder=folder)
    assert await database.fetchval("SELECT to_regclass('one')") is not None
    assert await database.fetchval("SELECT to_regclass('two')") is None

    (folder / "20260102000000_two.sql").write_text(TWO)
    assert ["20260102000000_two.sql"] == await migrate(empty_url, folder=folder)


async def test_a_file_and_its_record_are_one(empty_url, database, folder):
    (folder / "20260102000000_two.sql").write_text(f"{TWO}INSERT INTO schema_migrations VALUES ('20260102000000');\n")

    with pytest.raises(asyncpg.UniqueViolationError):
        await migrate(empty_url, folder=folder)
    assert await database.fetchval("SELECT to_regclass('two')") is None


async def test_who_must_not_migrate_can_ask_what_is_missing(empty_url, database, folder):
    pool = await open_pool(empty_url)
    assert ["20260101000000_one.sql", "20260102000000_two.sql"] == await missing(pool, folder=folder)
    assert await database.fetchval("SELECT to_regclass('schema_migrations')") is None  # asking changes nothing

    await migrate(empty_url, folder=folder)
    assert [] == await missing(pool, folder=folder)
    (folder / "20260103000000_three.sql").write_text(ONE)
    assert ["20260103000000_three.sql"] == await missing(pool, folder=folder)

    (folder / "20260102000000_two.sql").unlink()
    with pytest.raises(SchemaNewer, match="20260102000000"):
        await missing(pool, folder=folder)
    await pool.close()


async def test_an_index_can_be_built_without_a_transaction_while_others_wait_to_migrate(empty_url, folder):
    (folder / "20260103000000_index.sql").write_text(
        "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY two_id ON two (id);\n"
    )

    # A waiter that blocked inside the server would hold a snapshot, and the index build would wait for it: a deadlock.
    answers = await asyncio.gather(*(migrate(empty_url, folder=folder) for _ in range(4)))

    assert [0, 0, 0, 3] == sorted(len(answer) for answer in answers)


async def test_what_dbmate_applied_by_hand_is_adopted_and_watched_from_then_on(empty_url, database, folder):
    await migrate(empty_url, folder=folder)
    await database.execute("DELETE FROM schema_migration_checksums")

    assert [] == await migrate(empty_url, folder=folder)
    (folder / "20260101000000_one.sql").write_text(ONE.replace("int", "bigint"))
    with pytest.raises(MigrationEdited):
        await migrate(empty_url, folder=folder)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("one.sql", ONE, "the name is not"),
        ("20260101_one.sql", ONE, "the name is not"),
        ("20260101000000_One.sql", ONE, "the name is not"),
        ("20260104000000_one.sql", "CREATE TABLE x ();", "no line says -- migrate:up"),
        ("20260101000000_other.sql", ONE, "a second file"),
    ],
)
def test_a_malformed_file_is_refused_by_name(folder, name, text, reason):
    (folder / name).write_text(text)

    with pytest.raises(MigrationMalformed, match=reason):
        read_folder(folder)


async def test_a_server_that_is_not_there_is_unavailable(free_port):
    with pytest.raises(StoreUnavailable):
        await migrate(f"postgresql://postgres@127.0.0.1:{free_port()}/postgres")


async def test_a_runner_that_never_ends_is_not_waited_for_for_ever(empty_url, database, folder, monkeypatch):
    monkeypatch.setattr(migrate_module, "LOCK_SECONDS_MAX", 0.1)
    await database.execute("SELECT pg_advisory_lock($1)", migrate_module.ADVISORY_LOCK)

    with pytest.raises(StoreUnavailable, match="another migration"):
        await migrate(empty_url, folder=folder)
