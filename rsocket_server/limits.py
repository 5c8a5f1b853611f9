"""Core: every limit of the live conversation, with its unit and its reason; each has a test at its edge.

A stranger may open a socket, so whatever one can send, hold open or leave unread has a bound here.
"""

from __future__ import annotations

# --- one message ------------------------------------------------------------------------------------------------------

# One RSocket frame a WebSocket message. A chat line is under 4 KiB; the rest is room for other clients' metadata.
MESSAGE_BYTES_MAX = 64 * 1024
# The HTTP request that opens a WebSocket, cookies and all; aiohttp and nginx take 8 KiB a line.
HEAD_BYTES_MAX = 16 * 1024
# Unfinished fragments of one connection, data and metadata together: as much as one unfragmented message may carry.
REASSEMBLY_BYTES_MAX = 64 * 1024
# Requests open at once on one connection. A page needs three; a bot may have a burst of donations in flight.
STREAMS_MAX = 64
# Frames of one connection: so many at once, and in the long run so many a second. A page sends three a second, and a
# bot that asks for each line by itself as many as a loud room has lines; the smallest cost a worker some 5 µs each.
FRAMES_BURST_MAX = 2_000
FRAMES_SECOND_MAX = 500
# What things cost a worker in processor time, as measured: a frame that wants an answer, a byte (unmasked and looked
# at), a request with its handler and the store, a connection with its upgrade.
FRAME_COST_SECONDS = 10e-6
BYTE_COST_SECONDS = 4e-9
REQUEST_COST_SECONDS = 150e-6
CONNECT_COST_SECONDS = 400e-6
# What all connections of an address may cost together, and all of a member: so much at once, and in the long run this
# part of a worker. A school of 500 that comes back at once costs 0.7 s.
PURSE_SECONDS_MAX = 2.0
PURSE_PART_MAX = 0.1
# What each connection may cost beside that, whatever others of its address or its member do: at once SETUP and six
# requests, a line or twenty other frames a second. 500 of them are another tenth of a worker.
SHARE_SECONDS_MAX = 0.001
SHARE_PART_MAX = 0.0002
# Credit at which Reactive Streams (§3.17) counts a stream as unbounded. A watcher is a cursor, so this costs nothing.
CREDIT_UNBOUNDED = 2**31 - 1

# --- time -------------------------------------------------------------------------------------------------------------

# From the opened socket to its HTTP request, and from there to SETUP; a trickle of other bytes does not extend it.
FIRST_FRAME_SECONDS = 5.0
# For checking who it is. Verifying a token takes microseconds; the rest is for a database that is waking up.
SETUP_SECONDS = 5.0
# The client says how long a silence may last; we believe it within these. Hidden tabs are woken once a minute, and a
# dead phone must not hold its place for ever.
LIFETIME_SECONDS_MIN = 10.0
LIFETIME_SECONDS_MAX = 600.0
# One request's handler. Donations answer in milliseconds; after this the outcome is unknown and the client asks again.
HANDLER_SECONDS = 10.0
# From an access token's end to the end of its connection, for `session.renew`: a hidden tab is woken once a minute.
RENEW_SECONDS = 60.0
# At the end of this process, for requests that are being answered.
DRAIN_SECONDS = 0.3
# From our close frame to cutting the line: a peer that reads has answered long before.
CLOSE_SECONDS = 2.0
# How often silent connections are looked for; the deadlines above are met to within this.
SWEEP_SECONDS = 1.0

# --- what waits in memory ---------------------------------------------------------------------------------------------

# Fire-and-forget lines of one connection waiting for their turn; then its socket is not read until half are done.
INBOX_FRAMES_MAX = 64
# Bytes handed to a socket and not yet taken by the kernel at which its watchers stop; they go on at a quarter.
WRITE_HIGH_BYTES = 64 * 1024
WRITE_LOW_BYTES = 16 * 1024
# Bytes written and not read by a peer that still makes us write (keepalives, errors); it is cut off. Answers and rooms
# wait for the mark above instead.
OUTBOUND_BYTES_MAX = 256 * 1024
# The kernel's own send buffer a connection, invisible in our memory: by default a stuck viewer may hold 4 MB there.
SOCKET_SEND_BYTES = 64 * 1024
# Lines joined into one write. Large enough to make the system call cheap, small enough not to overrun a socket.
BATCH_BYTES_MAX = 32 * 1024
# Watchers served before the loop may turn to reading and keepalives again, some 1.5 ms; whoever comes later in the
# round has what was said meanwhile.
ROUND_WATCHERS = 256
# Sockets from which on a group is sent to by the ring: setting it up costs as much as some ten system calls.
RING_SENDS_MIN = 16
# Batches that a round keeps encoded for whoever else is to get them. Clients choose their stream ids: of pages they are
# 1, 3, 5 …, but thousands could each want one of BATCH_BYTES_MAX for itself.
ENCODINGS_MAX = 64
# Words for one viewer alone that wait for credit; the oldest go first. Where the numbers begin anew those are all that
# nobody may miss (KEPT_EVENTS_MAX, OWN_EVENTS_MAX), and there is room for others.
WHISPERS_MAX = 128
# Connections of one process; a file each, and the database and Redis need theirs.
CONNECTIONS_MAX = 20_000
# Of one address in one process: a school or a carrier's gateway at once, and no stranger has a process to itself.
ADDRESS_CONNECTIONS_MAX = 500
# Sockets that have not asked for a WebSocket yet: everyone at once after a restart, or somebody who never will. One
# more costs the address that has most of them its oldest.
STRANGERS_MAX = 4_096

# --- a room -----------------------------------------------------------------------------------------------------------

# Recent events kept in each worker, the same number as the bus keeps (db/bus.py HISTORY_LINES_MAX).
LOG_EVENTS_MAX = 512
LOG_BYTES_MAX = 256 * 1024
# Higher than any number of a room's event: up to it the store's Lua counts exactly.
NUMBER_MAX = 2**53
# Of donations and the like, which no viewer may miss, so many are held when lines have pushed them out of the log.
KEPT_EVENTS_MAX = 64
# Of a member's own lines, while they watch, so many are held for them: what one says in half a minute at most.
OWN_EVENTS_MAX = 32
# Lines replayed to whoever joins: what fits on a screen by default, what a client may ask for at most.
JOIN_EVENTS_DEFAULT = 50
JOIN_EVENTS_MAX = 100
# A chat line after normalisation, in characters as a reader counts them (grapheme clusters).
TEXT_CHARACTERS_MAX = 500
# The same line in code points: a family emoji is one character of seven or more.
TEXT_CODE_POINTS_MAX = 2000
# Code points of one character. A flag of a region has seven, a kissing couple with skin tones ten; more is a tower of
# marks that covers the lines above.
CLUSTER_CODE_POINTS_MAX = 16
# Speech of one member in one room: five lines in any five seconds.
SPEECH_LINES_MAX = 5
SPEECH_SECONDS = 5.0
# For so long the same id and words of the same member are the same line, said again because its answer was lost.
SAID_ONCE_SECONDS = 60
# Lines of one room that a worker holds while the store is away, to publish them when it is back: as many as the history
# has, or they would push each other out of it. One more is refused.
HELD_LINES_MAX = 512
# Acts of moderators beside them.
HELD_ACTS_MAX = 64
HELD_BYTES_MAX = 256 * 1024
# All rooms of a worker together: some 30,000 lines.
HELD_TOTAL_BYTES_MAX = 8 * 1024 * 1024
# An older line is let go: it would come to the others as the answer to something else.
HELD_SECONDS_MAX = 600
# Of a line that may be published already: so long before the store forgets its name it is not sent again. Longer than
# one try (db/pool.py REDIS_CALL_SECONDS_MAX).
HELD_MARGIN_SECONDS = 10
# Lines of one room that were sent to the store and not answered for, by name, some 100 bytes each: more than come, at
# 500 a second, in the time of one try (db/pool.py REDIS_CALL_SECONDS_MAX), after which the room is away.
TRIES_MAX = 4_096
# Viewer counts are told at most this often, and coarser in big rooms, or they would be the loudest voice in them.
COUNT_SECONDS = 1.0
# (from this many viewers on, told in steps of)
COUNT_STEPS = ((10_000, 100), (1_000, 50), (0, 1))
# What is known of a channel's rules and of a speaker's standing is read again after this, should news be lost.
LAW_SECONDS = 30.0
# While the store is away, and with it the news of what others' moderators have done.
LAW_AWAY_SECONDS = 2.0
# Read at once: half of the connections to PostgreSQL (db/pool.py POOL_CONNECTIONS). Hundreds who speak for the first
# time must not stand between a donation and its books.
LAW_READINGS_MAX = 4
# Standings read in one query: some milliseconds, so that whoever comes while it is under way is not kept waiting by it.
STANDINGS_MAX = 512
# A turn is waited for as long as a connection is, then what is known goes on to hold. Whoever joins others that wait
# gives up with them, sooner than that; a reading whose turn has come waits for its connection and its query after it.
LAW_TURN_SECONDS_MAX = 5.0
# Rules and standings remembered by one worker: some 5 MB.
LAWS_MAX = 20_000
# A room that nobody watches is left after this; a reload of the page must not subscribe anew.
ROOM_IDLE_SECONDS = 10.0

assert ADDRESS_CONNECTIONS_MAX < CONNECTIONS_MAX
assert ADDRESS_CONNECTIONS_MAX * (CONNECT_COST_SECONDS + SHARE_SECONDS_MAX) < PURSE_SECONDS_MAX / 2
assert ADDRESS_CONNECTIONS_MAX * SHARE_PART_MAX <= PURSE_PART_MAX
assert LIFETIME_SECONDS_MIN > FIRST_FRAME_SECONDS
assert LIFETIME_SECONDS_MIN > SWEEP_SECONDS
assert WRITE_LOW_BYTES < WRITE_HIGH_BYTES
assert WRITE_HIGH_BYTES + BATCH_BYTES_MAX < OUTBOUND_BYTES_MAX
assert MESSAGE_BYTES_MAX + WRITE_HIGH_BYTES < OUTBOUND_BYTES_MAX  # A keepalive's echo is as long as it was.
assert KEPT_EVENTS_MAX + OWN_EVENTS_MAX < WHISPERS_MAX
assert JOIN_EVENTS_DEFAULT <= JOIN_EVENTS_MAX <= LOG_EVENTS_MAX
assert BATCH_BYTES_MAX <= LOG_BYTES_MAX
assert HELD_LINES_MAX <= LOG_EVENTS_MAX
assert HELD_BYTES_MAX <= LOG_BYTES_MAX
assert HELD_MARGIN_SECONDS < SAID_ONCE_SECONDS
