"""Shell: brings a database up to this code: SQL files in dbmate's format, once each, one runner at a time."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from db.errors import StoreUnavailable
from db.pool import reading
from db.roles import give_rights

MIGRATIONS = Path(__file__).parent / "migrations"

# An arbitrary number that nothing else in this house locks.
ADVISORY_LOCK = 1_214_598_233
# Polled, not waited for inside the server: a session blocked in pg_advisory_lock holds a snapshot, and a
# CREATE INDEX CONCURRENTLY of the runner that holds the lock would wait for that snapshot: a deadlock.
LOCK_POLL_SECONDS = 0.05
# A big table's index may take minutes; longer is a question for a person.
LOCK_SECONDS_MAX = 300.0

_NAME = re.compile(r"(\d{14})_[a-z0-9_]+\.sql")
_UP = re.compile(r"^-- migrate:up(?P<options>[^\n]*)\n(?P<sql>.*?)(?:^-- migrate:down\b|\Z)", re.MULTILINE | re.DOTALL)


class MigrationError(Exception):
    """Base of what keeps a schema from being brought up to date."""


class MigrationMalformed(MigrationError):
    """A file in the migrations folder is not one."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"migration {self.name}: {self.reason}"


class MigrationEdited(MigrationError):
    """A file was changed after it had been applied: this database and the next one would differ unnoticed."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"migration {self.name} was edited after it was applied: restore it and add a new file"


class SchemaNewer(MigrationError):
    """The database has migrations that this code does not know: it belongs to a later release."""

    def __init__(self, versions: list[str]) -> None:
        super().__init__(versions)
        self.versions = versions

    def __str__(self) -> str:
        return f"the database is newer than this code (it has {', '.join(self.versions)}): update the code"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: what to run, and how to know it again."""

    version: str
    name: str
    sql: str
    sha256: str
    in_transaction: bool


async def migrate(database_url: str, *, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing, in order, and return the names; safe to run from many processes at once.

    Raises MigrationMalformed, MigrationEdited, SchemaNewer, StoreUnavailable; an error in a file's SQL passes through
    as asyncpg.PostgresError, and that file left nothing behind.
    """
    migrations = read_folder(folder)
    try:
        connection = await asyncpg.connect(database_url, server_settings={"application_name": "commeow migrate"})
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable(f"{type(error).__name__} on connect") from error
    try:
        await _lock(connection)
        applied = await _apply_missing(connection, migrations)
        await give_rights(connection)
        return applied
    finally:
        await connection.close()  # and with the session goes its lock


async def missing(pool: asyncpg.Pool, *, folder: Path = MIGRATIONS) -> list[str]:
    """Name what `migrate` would apply, in order, and apply nothing: for a process that must not.

    Raises MigrationMalformed, SchemaNewer, StoreUnavailable.
    """
    migrations = read_folder(folder)
    async with reading(pool) as connection:
        begun = await connection.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL")
        rows = await connection.fetch("SELECT version FROM schema_migrations") if begun else []
    applied = {row["version"] for row in rows}
    if unknown := sorted(applied - {migration.version for migration in migrations}):
        raise SchemaNewer(unknown)
    return [migration.name for migration in migrations if migration.version not in applied]


def read_folder(folder: Path) -> list[Migration]:
    """Read every .sql file of `folder`, in the order of its version. Raises MigrationMalformed."""
    migrations = [_read_file(path) for path in sorted(folder.glob("*.sql"))]
    seen: set[str] = set()
    for migration in migrations:
        if migration.version in seen:
            raise MigrationMalformed(migration.name, "a second file of this version")
        seen.add(migration.version)
    return migrations


def _read_file(path: Path) -> Migration:
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise MigrationMalformed(path.name, "the name is not YYYYMMDDHHMMSS_words.sql")
    up = _UP.search(path.read_text(encoding="utf-8"))
    if up is None:
        raise MigrationMalformed(path.name, "no line says -- migrate:up")
    return Migration(
        version=named[1],
        name=path.name,
        sql=up["sql"],
        # Of the up part only: how to go back may be improved later.
        sha256=hashlib.sha256(up["sql"].encode()).hexdigest(),
        in_transaction="transaction:false" not in up["options"],
    )


async def _lock(connection: Any) -> None:
    try:
        async with asyncio.timeout(LOCK_SECONDS_MAX):
            # The lock lives in the server: there is no event here to wait for.
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ADVISORY_LOCK):  # noqa: ASYNC110
                await asyncio.sleep(LOCK_POLL_SECONDS)
    except TimeoutError as error:
        raise StoreUnavailable(f"another migration has been running for {LOCK_SECONDS_MAX:.0f} s") from error


async def _apply_missing(connection: Any, migrations: list[Migration]) -> list[str]:
    if not await connection.fetchval("SELECT to_regclass('schema_migration_checksums') IS NOT NULL"):
        # dbmate's own table, so that its status and rollback work on this database, and ours beside it. Not asked for
        # when they are there: the application, which may not make a table, may look whether it has work to do.
        await connection.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) PRIMARY KEY);
            CREATE TABLE IF NOT EXISTS schema_migration_checksums (
                version varchar(128) PRIMARY KEY, sha256 text NOT NULL);
            """
        )
    rows = await connection.fetch(
        "SELECT version, sha256 FROM schema_migrations LEFT JOIN schema_migration_checksums USING (version)"
    )
    checksums: dict[str, str | None] = {row["version"]: row["sha256"] for row in rows}
    if unknown := sorted(checksums.keys() - {migration.version for migration in migrations}):
        raise SchemaNewer(unknown)
    for migration in migrations:
        # None: applied by dbmate by hand, which keeps no checksums; adopted below.
        if checksums.get(migration.version) not in {None, migration.sha256}:
            raise MigrationEdited(migration.name)
    applied: list[str] = []
    for migration in migrations:
        if migration.version not in checksums:
            await _apply(connection, migration)
            applied.append(migration.name)
        elif checksums[migration.version] is None:
            await _keep_checksum(connection, migration)
    return applied


async def _apply(connection: Any, migration: Migration) -> None:
    if not migration.in_transaction:
        # One statement a file: several in one message are an implicit transaction, which it asked not to have.
        await connection.execute(migration.sql)
        await _keep_record(connection, migration)
        return
    async with connection.transaction():
        await connection.execute(migration.sql)
        await _keep_record(connection, migration)


async def _keep_record(connection: Any, migration: Migration) -> None:
    await connection.execute("INSERT INTO schema_migrations (version) VALUES ($1)", migration.version)
    await _keep_checksum(connection, migration)


async def _keep_checksum(connection: Any, migration: Migration) -> None:
    await connection.execute(
        """
        INSERT INTO schema_migration_checksums (version, sha256) VALUES ($1, $2)
        ON CONFLICT (version) DO UPDATE SET sha256 = excluded.sha256
        """,
        migration.version,
        migration.sha256,
    )
