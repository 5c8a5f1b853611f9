"""Shell: the application's own role in PostgreSQL: it may write into the books, and never over them.

What must not change says so once, by its `refuse_change` trigger; the rights follow from that, for every table that a
later migration brings too. The owner could drop a trigger; the application is not the owner.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import asyncpg

from db.pool import reading

if TYPE_CHECKING:
    from collections.abc import Iterable

# Can log in, but has no password until an operator gives it one.
APPLICATION_ROLE = "commeow_app"

# What only `migrate` writes.
_OURS_TO_READ = ("schema_migrations", "schema_migration_checksums")
# No account is ever removed.
_NEVER_REMOVED = ("account",)


async def give_rights(connection: Any) -> bool:
    """Make the role if need be and give it what it needs, anew; False if this user may not.

    Run by whoever migrates, after the last file, so that a new table is neither closed to the application nor more open
    than its trigger says.
    """
    if not await connection.fetchval(
        """
        SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class
        WHERE oid = to_regclass('public.schema_migrations')
        """
    ):
        return False  # the application itself, on a database that somebody else migrates
    if not await _make_role(connection):
        return False
    async with connection.transaction():
        await connection.execute(
            f"""
            GRANT USAGE ON SCHEMA public TO {APPLICATION_ROLE};
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APPLICATION_ROLE};
            GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APPLICATION_ROLE};
            """
        )
        for statement in await _revocations(connection):
            await connection.execute(statement)
    return True


async def may_rewrite(pool: asyncpg.Pool) -> bool:
    """Tell whether this pool's user could change what has happened. Raises StoreUnavailable."""
    async with reading(pool) as connection:
        return bool(await connection.fetchval("SELECT has_table_privilege('transfer', 'UPDATE')"))


async def take_role(connection: Any) -> None:
    """Make this connection the application's, if the role is there and its user may."""
    await connection.fetchval(
        """
        SELECT set_config('role', rolname, false) FROM pg_roles
        WHERE rolname = $1 AND pg_has_role(session_user, oid, 'MEMBER')
        """,
        APPLICATION_ROLE,
    )


async def _make_role(connection: Any) -> bool:
    with contextlib.suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):  # another database's migrate
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", APPLICATION_ROLE):
            try:
                await connection.execute(f"CREATE ROLE {APPLICATION_ROLE} LOGIN")
            except asyncpg.InsufficientPrivilegeError:
                return False
    if not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        # So that the owner's own address serves the application too (take_role). Since PostgreSQL 16 even who has made
        # a role may not take it unasked.
        with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"GRANT {APPLICATION_ROLE} TO CURRENT_USER")
    return True


async def _revocations(connection: Any) -> Iterable[str]:
    """Write what is to be taken back: from tables that never change, and from columns that never change of others."""
    rows = await connection.fetch(
        """
        SELECT c.oid::regclass::text AS name,
               CASE t.tgtype & 24 WHEN 16 THEN 'UPDATE' WHEN 8 THEN 'DELETE' ELSE 'UPDATE, DELETE' END AS refused,
               (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                      AND cardinality(t.tgattr::smallint[]) > 0 AND a.attnum <> ALL (t.tgattr::smallint[])) AS changing
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgfoid = to_regproc('public.refuse_change') AND t.tgtype & 24 > 0  -- UPDATE 16, DELETE 8
        """
    )
    said = [f"REVOKE {row['refused']} ON {row['name']} FROM {APPLICATION_ROLE}" for row in rows]
    said += [
        f"GRANT UPDATE ({row['changing']}) ON {row['name']} TO {APPLICATION_ROLE}" for row in rows if row["changing"]
    ]
    tables = {row["relname"] for row in await connection.fetch("SELECT relname FROM pg_class WHERE relkind = 'r'")}
    said += [f"REVOKE DELETE ON {name} FROM {APPLICATION_ROLE}" for name in _NEVER_REMOVED if name in tables]
    said += [f"REVOKE INSERT, UPDATE, DELETE ON {name} FROM {APPLICATION_ROLE}" for name in _OURS_TO_READ]
    return said
