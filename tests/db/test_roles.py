"""Shell: the application's own role on a real PostgreSQL: what it may do is enough, and what it may not is refused."""

from __future__ import annotations

import asyncio
import uuid
from urllib.parse import urlsplit

import asyncpg
import pytest

from db import roles
from db.ledger import Ledger
from db.migrate import migrate
from db.payouts import Payouts
from db.pool import open_pool
from db.roles import APPLICATION_ROLE, give_rights, may_rewrite, take_role
from db.seals import Seals


@pytest.fixture
async def application(database_url):
    pool = await open_pool(database_url, size=2, on_connect=take_role)
    yield pool
    await pool.close()


async def test_the_application_keeps_the_books_and_cannot_change_them(application, pool, people, gift):
    donor, streamer = await people(2, 500)
    async with Ledger(application) as ledger:
        await ledger.give(gift(donor, streamer, 100), b"{}")
        await ledger.grant(donor, 5, "thanks")
        [received] = await ledger.donations(streamer)
        await ledger.refund(received.id, streamer, "sorry")
        await ledger.give(gift(donor, streamer, 2), b"{}")
        payouts = Payouts(application)
        for is_paid in (True, False):
            payout = await payouts.begin(uuid.uuid4(), streamer, 1, "")
            await payouts.end(payout.id, "", is_paid=is_paid)
        await Seals(application).seal_all()
        assert [] == await ledger.audit()

    for statement in (
        "UPDATE transfer SET amount = 1",
        "DELETE FROM transfer",
        "TRUNCATE transfer",
        "ALTER TABLE transfer DISABLE TRIGGER ALL",
        "DROP TRIGGER transfer_is_immutable ON transfer",
        "UPDATE donation SET amount = 1",
        "DELETE FROM donation",
        "UPDATE point_grant SET points = 1",
        "UPDATE refund SET reason = ''",
        "UPDATE payout SET points = 1",
        "DELETE FROM payout_step",
        "UPDATE point_order_ruling SET reason = ''",
        "DELETE FROM seal",
        "DELETE FROM account",
        "DELETE FROM schema_migrations",
        "CREATE TABLE mine (id int)",
        "SET session_replication_role = replica",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(statement)
    await application.execute("UPDATE donation SET message = ''")  # as when a member leaves
    assert not await may_rewrite(application)
    assert await may_rewrite(pool)


async def test_a_connection_stays_the_applications_when_it_is_lent_again(application):
    for _ in range(3):
        users = await asyncio.gather(*(application.fetchval("SELECT current_user") for _ in range(2)))
        assert {APPLICATION_ROLE} == set(users)


async def test_the_application_may_look_whether_there_is_something_to_migrate(database_url):
    assert [] == await migrate(database_url.replace("postgres@", f"{APPLICATION_ROLE}@"))


async def test_a_table_of_a_later_migration_gets_the_rights_its_trigger_says(pool, application):
    async with pool.acquire() as connection:
        await connection.execute(
            """
            CREATE TABLE plain (id int);
            CREATE TABLE kept (id int, word text);
            CREATE TRIGGER kept_is_immutable BEFORE UPDATE OF id OR DELETE ON kept
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
            """
        )
        assert await give_rights(connection)

    await application.execute("INSERT INTO plain VALUES (1); UPDATE plain SET id = 2; DELETE FROM plain")
    await application.execute("INSERT INTO kept VALUES (1); UPDATE kept SET word = ''")
    for statement in ("UPDATE kept SET id = 2", "DELETE FROM kept"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await application.execute(statement)


@pytest.fixture
async def owner_url(postgresql, empty_database_url, monkeypatch):
    """A given database as a provider hands it out: its owner may make roles, and is no superuser."""
    monkeypatch.setattr(roles, "APPLICATION_ROLE", "tenant")
    database = urlsplit(empty_database_url).path[1:]
    server = await asyncpg.connect(postgresql.url())
    await server.execute("CREATE ROLE landlord LOGIN CREATEROLE")
    await server.execute(f"ALTER DATABASE {database} OWNER TO landlord")
    yield empty_database_url.replace("postgres@", "landlord@")
    await server.execute(f"DROP DATABASE {database} WITH (FORCE)")
    await server.execute(f"CREATE DATABASE {database}")
    await server.execute("DROP ROLE IF EXISTS tenant; DROP ROLE landlord")
    await server.close()


async def test_a_given_databases_owner_serves_as_the_application(owner_url):
    await migrate(owner_url)
    owner = await open_pool(owner_url, size=1)
    served = await open_pool(owner_url, size=1, on_connect=take_role)

    assert "tenant" == await served.fetchval("SELECT current_user")
    assert [True, False] == [await may_rewrite(pool) for pool in (owner, served)]
    assert [] == await migrate(owner_url)
    await owner.close()
    await served.close()


async def test_an_owner_who_may_make_no_role_goes_on_and_is_told(owner_url, postgresql):
    server = await asyncpg.connect(postgresql.url())
    await server.execute("ALTER ROLE landlord NOCREATEROLE")
    await server.close()
    await migrate(owner_url)
    served = await open_pool(owner_url, size=1, on_connect=take_role)

    assert "landlord" == await served.fetchval("SELECT current_user")
    assert await may_rewrite(served)
    with pytest.raises(asyncpg.RaiseError, match="a correction is another transfer"):  # the trigger is left
        await served.execute("DELETE FROM transfer")
    await served.close()
