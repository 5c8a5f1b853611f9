"""Shell: the connections to PostgreSQL and Valkey, their time limits, and the drivers' failures in our own words."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import redis.asyncio
from asyncpg.exceptions import InternalClientError
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError, RedisClusterException, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from db.errors import StoreUnavailable, StoreUnknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    Client = redis.asyncio.Redis | redis.asyncio.RedisCluster

# Our statements take milliseconds; one that takes seconds is waiting for something that will not come.
STATEMENT_SECONDS_MAX = 5
# Shorter than a statement's time, so that a stuck lock is named as such.
LOCK_SECONDS_MAX = 3
# A transaction of ours never waits for a person or for HTTP.
IDLE_IN_TRANSACTION_SECONDS_MAX = 10
# Longer than the server's own limits: it runs out only when the server or the way to it is gone.
COMMAND_SECONDS_MAX = 10
CONNECT_SECONDS_MAX = 5
# Time to wait for a free connection before the caller is told to come back.
ACQUIRE_SECONDS_MAX = 5
POOL_CONNECTIONS = 8

# Refusals by the server after which surely nothing was done and a later try may succeed: SQLSTATEs of a failed
# serialisation, deadlock, lock wait, statement time, and the whole class 53 (no memory, disk or connections left).
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57014"})

# The driver's own pool opens one connection a caller and refuses the 101st at once; ours lets a burst wait its turn.
REDIS_CONNECTIONS = 16
REDIS_CONNECT_SECONDS_MAX = 2
# What we ask takes microseconds; five seconds is a stopped server.
REDIS_ANSWER_SECONDS_MAX = 5
# What we ask for with all tries: more than one whole try, and less than any handler has for its answer. A speaker then
# hears that the outcome is unknown, a reader that the store is away, and a relay goes on with its rounds.
REDIS_CALL_SECONDS_MAX = 7
assert REDIS_ANSWER_SECONDS_MAX < REDIS_CALL_SECONDS_MAX
# Every call of ours may be sent twice (see bus.publish), so a dropped connection is worth three quick tries.
REDIS_RETRIES = 3
REDIS_BACKOFF_SECONDS_MIN = 0.01
REDIS_BACKOFF_SECONDS_MAX = 0.25
# A subscriber only listens: without these a vanished host is never noticed. Dead after 15 + 3 * 5 seconds.
KEEPALIVE_IDLE_SECONDS = 15
KEEPALIVE_INTERVAL_SECONDS = 5
KEEPALIVE_PROBES = 3

# Of a cluster, whose client has no queue for a connection: a burst opens as many to each node.
CLUSTER_CONNECTIONS = 512
# Schemes of ours for a cluster, as redis-py's own read what follows.
CLUSTER_SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}
REDIS_PORT = 6379

# What a cluster's client says of the whole cluster is not of the driver's own family.
REDIS_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
# Nor is what it says of a slot of which it knows no node: KeyError, at the first try or at a later one.
_CALL_FAILURES = (*REDIS_FAILURES, KeyError)

_CLIENT_FAILURES = (asyncpg.InterfaceError, InternalClientError, OSError, TimeoutError)


async def open_pool(
    url: str,
    *,
    size: int = POOL_CONNECTIONS,
    application_name: str = "commeow",
    on_connect: Callable[[Any], Awaitable[None]] | None = None,
) -> asyncpg.Pool:
    """Open a pool of at most `size` connections and prove it with one. Raises StoreUnavailable.

    `on_connect` is awaited with each new connection before it is lent.
    """
    try:
        return await asyncpg.create_pool(
            url,
            # A floor would be restored in the background, with a traceback in the log at every try while the server
            # is away; one connection at once is enough to know that the URL is right.
            min_size=0,
            init_size=1,
            max_size=size,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=COMMAND_SECONDS_MAX,
            init=on_connect,
            server_settings={
                "application_name": application_name,
                "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
                "lock_timeout": f"{LOCK_SECONDS_MAX}s",
                "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
                # settle_donations locks in one statement and reads in the next: it needs a snapshot a statement.
                "default_transaction_isolation": "read committed",
                "jit": "off",
                "timezone": "UTC",
            },
        )
    except (*_CLIENT_FAILURES, asyncpg.PostgresError) as error:
        raise StoreUnavailable(f"{type(error).__name__} on connect") from error


@contextlib.asynccontextmanager
async def writing(pool: asyncpg.Pool) -> AsyncIterator[Any]:
    """Lend a connection for statements that change something.

    Raises StoreUnavailable (surely nothing was done) or StoreUnknown (it may be done); what the server says about the
    statement itself, such as a violated constraint, passes through as asyncpg.PostgresError.
    """
    try:
        connection = await pool.acquire(timeout=ACQUIRE_SECONDS_MAX)
    except (*_CLIENT_FAILURES, asyncpg.PostgresError) as error:
        raise StoreUnavailable(f"{type(error).__name__} on connect") from error
    try:
        yield connection
    except (*_CLIENT_FAILURES, asyncpg.PostgresError) as error:
        failure = store_failure(error)
        if failure is None:
            raise
        raise failure from error
    finally:
        # After a server's death giving back may fail as well (InternalClientError); the answer is known by then, and
        # asyncpg has dropped the connection.
        with contextlib.suppress(*_CLIENT_FAILURES, asyncpg.PostgresError):
            await pool.release(connection)


@contextlib.asynccontextmanager
async def reading(pool: asyncpg.Pool) -> AsyncIterator[Any]:
    """Lend a connection for statements that only read: an unknown outcome is nothing lost. Raises StoreUnavailable."""
    try:
        async with writing(pool) as connection:
            yield connection
    except StoreUnknown as error:
        raise StoreUnavailable(error.reason) from error


def store_failure(error: Exception) -> StoreUnavailable | StoreUnknown | None:
    """Say what a driver's exception means for the request; None: the server judged the statement, nothing was done."""
    name = type(error).__name__
    if isinstance(error, asyncpg.PostgresError):
        sqlstate = str(error.sqlstate or "")
        if sqlstate in RETRYABLE_SQLSTATES or sqlstate.startswith("53"):
            return StoreUnavailable(name)
        # 08: the connection broke; 57P: the backend was told to go, perhaps between the commit and its answer.
        if sqlstate.startswith(("08", "57P")):
            return StoreUnknown(name)
        return None
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return None  # an argument that could not be encoded: it never left this process
    return StoreUnknown(name)


def open_redis(url: str) -> Client:
    """Make a client that connects at the first command and answers in bytes. Raises ValueError: no such address.

    The address is redis://, rediss:// or unix:// of one server; or redis+cluster:// or rediss+cluster:// with one or
    more nodes of a cluster, `host:port` each, with commas between them: any of them tells of all others.
    """
    scheme = urlsplit(url).scheme
    options: dict[str, Any] = {
        "decode_responses": False,
        "socket_connect_timeout": REDIS_CONNECT_SECONDS_MAX,
        "socket_timeout": REDIS_ANSWER_SECONDS_MAX,
        "retry": Retry(
            ExponentialBackoff(cap=REDIS_BACKOFF_SECONDS_MAX, base=REDIS_BACKOFF_SECONDS_MIN), REDIS_RETRIES
        ),
    }
    if scheme != "unix":
        options |= {"socket_keepalive": True, "socket_keepalive_options": _keepalive_options()}
    if scheme in CLUSTER_SCHEMES:
        return _open_cluster(url, options)
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url, max_connections=REDIS_CONNECTIONS, timeout=ACQUIRE_SECONDS_MAX, **options
    )
    return redis.asyncio.Redis.from_pool(pool)


def _open_cluster(url: str, options: dict[str, Any]) -> redis.asyncio.RedisCluster:
    scheme, authority, path, query, _ = urlsplit(url)
    login, at, hosts = authority.rpartition("@")
    first, *others = hosts.split(",")
    nodes = [urlsplit(f"//{host}") for host in others]
    return redis.asyncio.RedisCluster.from_url(
        f"{CLUSTER_SCHEMES[scheme]}://{login}{at}{first}{path}?{query}",
        startup_nodes=[ClusterNode(node.hostname or "", node.port or REDIS_PORT) for node in nodes],
        # Whether all must be well for any to answer is the cluster's own to say (cluster-require-full-coverage).
        require_full_coverage=False,
        max_connections=CLUSTER_CONNECTIONS,
        # The listening connections speak the older protocol, which has none of these.
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
        **options,
    )


async def ping(client: Client) -> None:
    """See that a server answers, of a cluster each that has slots. Raises what the driver raises."""
    if isinstance(client, redis.asyncio.RedisCluster):
        await client.ping(target_nodes=redis.asyncio.RedisCluster.PRIMARIES)
    else:
        await client.ping()


class Script:
    """A script that a server is sent whole when it does not know it yet; each node of a cluster learns it so."""

    def __init__(self, client: Client, text: str) -> None:
        self._client = client
        self._text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, *, keys: Sequence[str | bytes], args: Iterable[Any]) -> Any:
        """Run it. In a cluster all `keys` must be of one slot.

        Raises what the driver raises.
        """
        words = (len(keys), *keys, *args)
        try:
            return await self._client.evalsha(self._sha, *words)
        except NoScriptError:
            return await self._client.eval(self._text, *words)


@contextlib.asynccontextmanager
async def asking() -> AsyncIterator[None]:
    """Turn a failure of a Valkey command that only reads, or may be done twice, into StoreUnavailable.

    So is no answer within REDIS_CALL_SECONDS_MAX; in `telling` that is StoreUnknown.
    """
    try:
        async with asyncio.timeout(REDIS_CALL_SECONDS_MAX):
            yield
    except _CALL_FAILURES as error:
        raise StoreUnavailable(type(error).__name__) from error


@contextlib.asynccontextmanager
async def telling() -> AsyncIterator[None]:
    """Turn a failure of a Valkey command that changes something into StoreUnavailable or StoreUnknown."""
    try:
        async with asyncio.timeout(REDIS_CALL_SECONDS_MAX):
            yield
    except ResponseError as error:  # an answer: out of memory, read only, not allowed
        raise StoreUnavailable(type(error).__name__) from error
    except _CALL_FAILURES as error:
        raise StoreUnknown(type(error).__name__) from error


def _keepalive_options() -> dict[int, int]:
    """Name the options this system has: macOS and Windows spell the idle time otherwise or not at all."""
    wanted = {
        "TCP_KEEPIDLE": KEEPALIVE_IDLE_SECONDS,
        "TCP_KEEPINTVL": KEEPALIVE_INTERVAL_SECONDS,
        "TCP_KEEPCNT": KEEPALIVE_PROBES,
    }
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
