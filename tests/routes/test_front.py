import asyncio
import itertools
import re

import pytest

from media.hls_writer import writer as writer_module
from routes import front
from routes.front import Fronts
from routes.quick_playback import QuickPlayback

KEY = "sk_live_test"
HOST = b"Host: 127.0.0.1\r\n"
OWN_OF_EACH = {"date", "x-request-id"}


class Line:
    """One connection, and what comes back on it."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer

    def send(self, data):
        self._writer.write(data)

    async def answer(self, *, body=True):
        """The next answer: status line, headers but those of the moment, body."""
        async with asyncio.timeout(60):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.rstrip("\r\n").split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            assert len(headers) == len(lines), head
            lower = {name.lower(): value for name, value in headers.items()}
            assert re.fullmatch("[0-9a-f]{16}", lower.get("x-request-id", "0" * 16))
            data = await self._reader.readexactly(int(lower.get("content-length", 0))) if body else b""
        return status, {name: value for name, value in lower.items() if name not in OWN_OF_EACH}, data

    async def end(self):
        """What is left when the other side has closed."""
        async with asyncio.timeout(60):
            return await self._reader.read()

    def abort(self):
        self._writer.transport.abort()


@pytest.fixture
async def live(channel_client, on_air, new_member):
    await new_member("나비", key=KEY)
    await on_air.publish(KEY)
    return channel_client


@pytest.fixture
async def quick(live, on_air):
    return QuickPlayback(on_air.broadcasts, live.guard)


@pytest.fixture
async def fronts(live, quick):
    fronts = Fronts(live.server.runner.server, quick)
    fronts.port = await fronts.listen("127.0.0.1", 0)
    yield fronts
    fronts.close()


@pytest.fixture
async def dial():
    lines = []

    async def connect(port):
        lines.append(Line(*await asyncio.open_connection("127.0.0.1", port)))
        return lines[-1]

    yield connect
    for line in lines:
        line.abort()


@pytest.fixture
async def folder(live):
    text = await (await live.get("/hls/나비/index.m3u8")).text()
    (uri,) = [line for line in text.splitlines() if line and not line.startswith("#")]
    return f"/hls/%EB%82%98%EB%B9%84/{uri.partition('/')[0]}"


@pytest.fixture
async def names(live, folder):
    """One name of each kind that the playlist lists."""
    text = await (await live.get(f"{folder}/source.m3u8")).text()
    sequence = int(re.search(r"MEDIA-SEQUENCE:(\d+)", text)[1])
    return {
        "init": re.search(r'MAP:URI="([^"]+)"', text)[1],
        "segment": re.search(r"^(source_s\d+\.m4s)", text, re.MULTILINE)[1],
        "part": re.findall(r'PART:[^\n]*URI="([^"]+)"', text)[-1],
        "hint": re.search(r'HINT:[^\n]*URI="([^"]+)"', text)[1],
        "next": str(sequence + text.count("#EXTINF:")),
        "first": str(sequence),
    }


def get(target, fields=HOST, method="GET", version="1.1"):
    return f"{method} {target} HTTP/{version}\r\n".encode() + fields + b"\r\n"


@pytest.fixture
def same(live, fronts, dial):
    """Ask both, each on a connection of its own, and hold what they say together; what was said."""

    async def ask(data, *, body=True):
        lines = [await dial(port) for port in (live.server.port, fronts.port)]
        for line in lines:
            line.send(data)
        theirs, ours = [await line.answer(body=body) for line in lines]
        assert ours == theirs
        return ours

    return ask


async def test_media_are_answered_as_by_aiohttp(same, folder, names, fronts):
    for name in ("init", "segment", "part"):
        status, headers, data = await same(get(f"{folder}/{names[name]}"))

        assert status == "HTTP/1.1 200 OK"
        assert headers["access-control-allow-origin"] == "*"
        assert len(data) > 100
    assert {each._behind for each in fronts.connections} == {None}


async def test_playlists_are_answered_as_by_aiohttp(same, folder, names, fronts):
    first = f"?_HLS_msn={names['first']}"
    for query in ("", "?_HLS_skip=YES", first, f"{first}&_HLS_part=0&_HLS_skip=v2", "?x=1"):
        status, headers, data = await same(get(f"{folder}/source.m3u8{query}"))

        assert status == "HTTP/1.1 200 OK"
        assert headers["cache-control"] == "no-cache"
        assert data.startswith(b"#EXTM3U")
    assert {each._behind for each in fronts.connections} == {None}


TARGETS = [
    ("{folder}/source.m3u8?_HLS_part=0", 400),
    ("{folder}/source.m3u8?_HLS_msn=9999", 400),
    ("{folder}/source.m3u8?_HLS_msn={next}&_HLS_part=99", 400),
    ("{folder}/source.m3u8?_HLS_msn=x", 400),
    ("{folder}/source.m3u8?_HLS_msn=1&_HLS_msn=2", 200),
    ("{folder}/source.m3u8?_HLS_msn=%31", 200),
    ("{folder}/source.m3u8?", 200),
    ("{folder}/source.m3u8?&&", 200),
    ("{folder}/source.m3u8?_HLS_msn", 400),
    ("{folder}/source.m3u8#_HLS_msn=9999", 200),
    ("{folder}/other.m3u8", 404),
    ("{folder}/source_ts.m3u8", 200),
    ("{folder}/source_dvr.m3u8", 200),
    ("{folder}/source_p9999.m4s", 404),
    ("{folder}/source_s9999.m4s", 404),
    ("{folder}/source_init9.mp4", 404),
    ("{folder}/source_t1.ts", 200),
    ("{folder}/source_p01.m4s", 404),
    ("{folder}/source_p1.mp4", 404),
    ("{folder}/..", 404),
    ("{folder}/%2e%2e/source.m3u8", 404),
    ("{folder}/../{folder}/source.m3u8", 404),
    ("{folder}//source.m3u8", 404),
    ("/hls/nabi/999/source.m3u8", 404),
    ("/hls/{{nickname}}/index.m3u8", 404),
    ("/hls/%EB%82%98%EB%B9%84/index.m3u8", 200),
    ("/hls/%FF%FE/1/source.m3u8", 200),
    ("/hls/./1/source.m3u8", 200),
    ("/hls/a%2Fb/1/source.m3u8", 200),
    ("/api/channels", 200),
    ("/nothing", 404),
]


async def test_everything_else_is_aiohttps_own_answer(same, folder, names):
    for form, status in TARGETS:
        target = form.format(folder=folder, **names).replace("/1/", f"/{folder.rpartition('/')[2]}/")
        said, _, _ = await same(get(target))

        assert int(said.split()[1]) == status, form


ODD = [
    (get("{part}", HOST + b"Range: bytes=0-9\r\n"), 200),
    (get("{part}", HOST + b"If-None-Match: *\r\n"), 200),
    (get("{part}", HOST + b"Connection: close\r\n"), 200),
    (get("{part}", HOST + b"Content-Length: 0\r\n"), 200),
    (get("{part}", HOST + b"Content-Length: 5\r\n") + b"hello", 200),
    (get("{part}", HOST + b"X-Latin: \xe9\r\n"), 200),
    (get("{part}", HOST, method="POST"), 405),
    (get("{part}", HOST, method="OPTIONS"), 204),
    (get("{part}", HOST, version="1.0"), 200),
    (get("{part}", b"", version="1.0"), 200),
    (get("{part}", b""), 400),
    (get("{part}", HOST + HOST), 400),
    (get("{part}", HOST + b"X: " + b"x" * 9000 + b"\r\n"), 400),
    (get("{part}", HOST + b"".join(b"X-%d: 1\r\n" % each for each in range(200))), 400),
    (get("{part}", HOST + b"Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n", 200),
    (get("{part}", HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n") + b"x", 400),
    (get("{part}", HOST + b" folded\r\n"), 400),
    (get("{part}", HOST + b"X: \x00\r\n"), 400),
    (get("{part}", HOST, method="get"), 400),
    (get("/" + "x" * 9000, HOST), 400),
    (b"\r\n" + get("{part}"), 200),
    (b"GET {part} HTTP/1.1\n" + HOST + b"\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
]


async def test_odd_requests_are_answered_as_by_aiohttp(same, folder, names):
    for form, status in ODD:
        said, _, _ = await same(form.replace(b"{part}", f"{folder}/{names['part']}".encode()))

        assert int(said.split()[1]) == status, form


async def test_head_has_the_headers_and_nothing_else(same, folder, names):
    for target in (f"{folder}/source.m3u8", f"{folder}/{names['part']}"):
        status, headers, _ = await same(get(target, method="HEAD"), body=False)

        assert status == "HTTP/1.1 200 OK"
        assert int(headers["content-length"]) > 100


async def test_one_connection_is_asked_for_anything_in_turn_and_comes_back_to_playback(fronts, dial, folder, names):
    line = await dial(fronts.port)
    log_in = b'{"login_id": "nobody", "password": "123456789"}'
    posted = get("/api/members/login", HOST + b"Content-Length: %d\r\n" % len(log_in), method="POST") + log_in
    requests = {
        f"{folder}/{names['part']}": (get(f"{folder}/{names['part']}"), 200),
        "posted": (posted, 404),
        "lists": (get(f"{folder}/source.m3u8"), 200),
        "page": (get("/api/channels"), 200),
    }
    everything = [data for data, _ in requests.values()] * 2
    statuses = [status for _, status in requests.values()] * 2
    for cut in (10_000, 1, 7):  # At once: pipelined; byte by byte; and in pieces.
        whole = b"".join(everything)
        for start in range(0, len(whole), cut):
            line.send(whole[start : start + cut])
            await asyncio.sleep(0)
        answers = [await line.answer() for _ in everything]

        assert [int(status.split()[1]) for status, _, _ in answers] == statuses
    (only,) = fronts.connections
    assert only._state is front.State.FREE


async def test_one_who_closes_is_closed_when_he_has_all(fronts, dial, folder, names):
    line = await dial(fronts.port)
    line.send(get(f"{folder}/{names['segment']}", HOST + b"Connection: close\r\n") + get("/ignored"))
    _, headers, data = await line.answer()

    assert headers["connection"] == "close"
    assert len(data) > 100
    assert await line.end() == b""


async def test_a_part_that_is_hinted_and_the_list_that_will_have_it_are_waited_for(same, live, folder, names, on_air):
    hint = asyncio.ensure_future(same(get(f"{folder}/{names['hint']}")))
    lists = asyncio.ensure_future(same(get(f"{folder}/source.m3u8?_HLS_msn={names['next']}")))
    await _until(lambda: live.guard.counters.under_way == 4)
    await on_air.broadcasts.close()
    status, _, part = await hint
    _, _, text = await lists

    assert status == "HTTP/1.1 200 OK"
    assert len(part) > 100
    assert b"#EXT-X-ENDLIST" in text
    assert live.guard.counters.under_way == 0


async def _until(true):
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0)


async def test_a_wait_that_is_too_long_is_refused_as_by_aiohttp(same, folder, names, fronts, monkeypatch):
    monkeypatch.setattr(writer_module, "HOLD_TARGETS", 0.001)
    for target in (f"{folder}/{names['hint']}", f"{folder}/source.m3u8?_HLS_msn={names['next']}"):
        status, headers, data = await same(get(target))

        assert status.split()[1] == "503"
        assert headers["content-type"] == "application/problem+json"
        assert b"hls.timed_out" in data
    assert {each._state for each in fronts.connections} == {front.State.FREE}


async def test_who_goes_while_he_waits_is_forgotten(fronts, dial, folder, names, live, on_air):
    lines = [await dial(fronts.port) for _ in range(3)]
    for line in lines:
        line.send(get(f"{folder}/{names['hint']}"))
    await _until(lambda: live.guard.counters.under_way == 3)
    for line in lines:
        line.abort()
    await _until(lambda: not fronts.connections)

    assert live.guard.counters.under_way == 0
    assert all(
        not waiting._held for writer in on_air.broadcasts._writers.values() for waiting in writer._waiting.values()
    )


async def test_who_sends_much_ahead_is_read_no_further_until_he_is_answered(fronts, dial, folder, names, on_air):
    line = await dial(fronts.port)
    line.send(get(f"{folder}/{names['hint']}"))
    ahead = get(f"{folder}/{names['init']}")
    count = 3 * front.AHEAD_BYTES_MAX // len(ahead)
    line.send(ahead * count)
    await _until(lambda: any(each._full for each in fronts.connections))
    await on_air.broadcasts.close()
    answers = [await line.answer() for _ in range(1 + count)]

    assert len({data for _, _, data in answers[1:]}) == 1
    assert not any(each._full for each in fronts.connections)


# --- time -------------------------------------------------------------------------------------------------------------


async def test_who_asks_nothing_is_closed_after_a_while(fronts, dial, folder, names):
    line = await dial(fronts.port)
    line.send(get(f"{folder}/{names['part']}"))
    await line.answer()
    (only,) = fronts.connections
    only.look(front.IDLE_SECONDS_MAX - 1)
    line.send(get(f"{folder}/{names['part']}"))
    await line.answer()
    only.look(front.IDLE_SECONDS_MAX - 1)
    assert fronts.connections
    only.look(1)

    assert await line.end() == b""


async def test_a_head_has_its_time_however_slowly_it_drips(fronts, dial):
    line = await dial(fronts.port)
    for count, byte in enumerate(b"GET /hls/x"):
        line.send(bytes([byte]))
        await _until(lambda count=count: any(len(each._held) > count for each in fronts.connections))
        (only,) = fronts.connections
        only.look(front.HEAD_SECONDS_MAX / 10)

    assert await line.end() == b""


async def test_who_waits_for_a_part_or_for_aiohttp_is_not_idle(fronts, dial, folder, names):
    waits = await dial(fronts.port)
    waits.send(get(f"{folder}/{names['hint']}"))
    foreign = await dial(fronts.port)
    foreign.send(get("/api/channels", HOST + b"X: \xe9\r\n"))
    await foreign.answer()
    await _until(lambda: {each._state for each in fronts.connections} == {front.State.WAITING, front.State.FOREIGN})
    for each in tuple(fronts.connections):
        each.look(10 * front.IDLE_SECONDS_MAX)

    assert len(fronts.connections) == 2


async def test_who_takes_nothing_of_what_is_sent_is_cut_off(fronts, folder, names):
    reader, writer = await asyncio.open_connection("127.0.0.1", fronts.port, limit=1)
    for _ in itertools.count():
        writer.write(get(f"{folder}/{names['segment']}") * 10)
        await asyncio.sleep(0)
        if fronts.connections and all(each._paused for each in fronts.connections):
            break
    (only,) = fronts.connections
    for _ in range(3):
        only.look(front.STUCK_SECONDS_MAX / 2)
        await asyncio.sleep(0)
    await _until(lambda: not fronts.connections)
    writer.transport.abort()
    assert reader is not None


async def test_the_looks_at_the_time_go_on(fronts, dial, monkeypatch):
    monkeypatch.setattr(front, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(front, "IDLE_SECONDS_MAX", 0.003)
    fronts._looking.cancel()
    fronts._look()
    line = await dial(fronts.port)

    assert await line.end() == b""


async def test_closing_ends_who_waits_and_who_is_idle_and_lets_nobody_in(fronts, dial, folder, names, live):
    idle, waits = await dial(fronts.port), await dial(fronts.port)
    waits.send(get(f"{folder}/{names['hint']}"))
    await _until(lambda: len(fronts.connections) == 2 and live.guard.counters.under_way == 1)
    fronts.close()

    assert await idle.end() == await waits.end() == b""
    assert live.guard.counters.under_way == 0
    with pytest.raises(OSError, match="Connect call failed"):
        await dial(fronts.port)


# --- what a stranger may try ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["{folder}/{segment}", "/api/channels"])
async def test_who_asks_for_the_end_and_never_reads_is_cut_off(target, fronts, folder, names):
    """Who closes is still looked at, whoever of us answered and however little is left."""
    _, writer = await asyncio.open_connection("127.0.0.1", fronts.port, limit=1)
    writer.transport.pause_reading()
    await _until(lambda: fronts.connections)
    (only,) = fronts.connections
    transport = Stuck(only._transport)
    only._transport = transport
    writer.write(get(target.format(folder=folder, **names), HOST + b"Connection: close\r\n"))
    await _until(transport.is_closing)
    for _ in range(3):
        only.look(front.STUCK_SECONDS_MAX / 2)

    assert transport.aborted
    writer.transport.abort()
    transport.real.abort()


class Stuck(asyncio.Transport):
    """A transport of which the kernel takes nothing."""

    def __init__(self, real):
        super().__init__()
        self.real = real
        self.size = 0
        self.closing = self.aborted = False

    def write(self, data):
        self.size += len(data)

    def writelines(self, parts):
        self.size += sum(map(len, parts))

    def get_write_buffer_size(self):
        return self.size

    def get_extra_info(self, name, default=None):
        return self.real.get_extra_info(name, default)

    def is_closing(self):
        return self.closing

    def close(self):
        self.closing = True

    def abort(self):
        self.aborted = True


async def test_what_is_aiohttps_for_good_is_read_though_much_came_ahead(fronts, dial, folder, names, on_air):
    line = await dial(fronts.port)
    ahead = get(f"{folder}/{names['init']}")
    count = 1 + front.AHEAD_BYTES_MAX // len(ahead)
    foreign = get("/api/channels", HOST + b"X: \xe9\r\n")
    line.send(get(f"{folder}/{names['hint']}") + ahead * count + foreign)
    await _until(lambda: any(each._full for each in fronts.connections))
    await on_air.broadcasts.close()
    for _ in range(count + 2):
        await line.answer()
    line.send(foreign)

    assert (await line.answer())[0] == "HTTP/1.1 200 OK"


async def test_who_becomes_aiohttps_for_good_has_his_time_for_a_head(fronts, dial, folder, names, monkeypatch):
    line = await dial(fronts.port)
    line.send(get("/api/channels"))
    await line.answer()
    line.send(get(f"{folder}/{names['part']}"))
    await line.answer()
    monkeypatch.setattr(front, "IDLE_SECONDS_MAX", 0.2)
    line.send(get("/api/channels", HOST + b"X: \xe9\r\n")[:-2])
    await _until(lambda: {each._state for each in fronts.connections} != {front.State.FREE})

    assert await line.end() == b""


async def test_one_address_has_no_more_connections_than_its_share(fronts, dial, monkeypatch):
    monkeypatch.setattr(front, "ADDRESS_CONNECTIONS_MAX", 2)
    monkeypatch.setattr(front, "counted_as", lambda *_, **__: "192.0.2.1")
    first, second, third = [await dial(fronts.port) for _ in range(3)]
    assert await third.end() == b""
    for line in (first, second):
        line.send(get("/api/channels"))
        await line.answer()
    first.abort()
    await _until(lambda: len(fronts.connections) == 1)
    fourth = await dial(fronts.port)
    fourth.send(get("/api/channels"))

    assert (await fourth.answer())[0] == "HTTP/1.1 200 OK"
    for line in (second, fourth):
        line.abort()
    await _until(lambda: not fronts.connections)
    assert not fronts._addresses


async def test_connections_at_their_limit_and_this_machine_is_not_counted(fronts, dial, monkeypatch):
    monkeypatch.setattr(front, "ADDRESS_CONNECTIONS_MAX", 0)
    monkeypatch.setattr(fronts, "_room", 1)
    first = await dial(fronts.port)
    first.send(get("/api/channels"))
    await first.answer()

    assert await (await dial(fronts.port)).end() == b""
    assert not fronts._addresses


async def test_who_has_asked_nothing_for_longest_makes_room_and_who_is_busy_does_not(
    fronts, dial, folder, names, live, monkeypatch
):
    monkeypatch.setattr(fronts, "_room", 3)
    monkeypatch.setattr(front, "ROOM_MADE", 1)
    fronts._looking.cancel()  # Time passes where the test says so.
    oldest, idle, busy = [await dial(fronts.port) for _ in range(3)]
    busy.send(get(f"{folder}/{names['hint']}"))
    await _until(lambda: live.guard.counters.under_way == 1)
    for seconds in (front.LOOK_SECONDS, front.LOOK_SECONDS):
        idle.send(get("/api/channels"))
        await idle.answer()
        for each in fronts.connections:
            each.look(seconds)

    newcomer = await dial(fronts.port)
    newcomer.send(get("/api/channels"))

    assert (await newcomer.answer())[0] == "HTTP/1.1 200 OK"
    assert await oldest.end() == b""
    assert len(fronts.connections) == 3
    # The second comes to nobody idle but one, the third to nobody: and that is known until the next look.
    second = await dial(fronts.port)
    second.send(get("/api/channels"))
    await second.answer()
    assert await idle.end() == b""
    assert await (await dial(fronts.port)).end() == b""
    assert fronts._busy == {None}
    fronts._look()
    assert not fronts._busy
    assert {each._state for each in fronts.connections} == {front.State.WAITING, front.State.FREE}


async def test_who_has_not_yet_taken_the_end_of_an_answer_makes_no_room(fronts, dial, monkeypatch):
    """Less is left than a transport pauses at, and what is left would be thrown away."""
    monkeypatch.setattr(fronts, "_room", 1)
    fronts._looking.cancel()  # Time passes where the test says so.
    slow = await dial(fronts.port)
    slow.send(get("/api/channels"))
    await slow.answer()
    (only,) = fronts.connections
    real, only._transport = only._transport, Stuck(only._transport)
    only._transport.write(b"the end of an answer")
    only.look(front.LOOK_SECONDS)

    assert await (await dial(fronts.port)).end() == b""
    assert fronts.connections == {only}
    only._transport = real
    fronts._look()
    newcomer = await dial(fronts.port)
    newcomer.send(get("/api/channels"))
    assert (await newcomer.answer())[0] == "HTTP/1.1 200 OK"
    assert await slow.end() == b""


async def test_an_address_makes_room_for_itself_only(fronts, dial, monkeypatch):
    monkeypatch.setattr(front, "ADDRESS_CONNECTIONS_MAX", 1)
    addresses = iter(("192.0.2.1", "198.51.100.7", "198.51.100.7"))
    monkeypatch.setattr(front, "counted_as", lambda *_, **__: next(addresses))
    other = await dial(fronts.port)
    own = await dial(fronts.port)
    for line in (other, own):
        line.send(get("/api/channels"))
        await line.answer()
    for each in fronts.connections:
        each.look(front.LOOK_SECONDS)

    newcomer = await dial(fronts.port)
    newcomer.send(get("/api/channels"))

    assert (await newcomer.answer())[0] == "HTTP/1.1 200 OK"
    assert await own.end() == b""
    other.send(get("/api/channels"))
    assert (await other.answer())[0] == "HTTP/1.1 200 OK"


async def test_files_are_left_for_others(live, quick, monkeypatch):
    monkeypatch.setattr(front.resource, "getrlimit", lambda _: (100, 100))
    fronts = Fronts(live.server.runner.server, quick)
    await fronts.listen("127.0.0.1", 0)
    fronts.close()

    assert fronts._room == 50
