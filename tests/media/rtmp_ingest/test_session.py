from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

import pytest

from media.rtmp_ingest import messages
from media.rtmp_ingest.allowance import (
    UNPUBLISHED_BYTES_MAX,
    UNPUBLISHED_CHUNKS_MAX,
    UNPUBLISHED_MESSAGES_MAX,
    TooManyUnpublishedBytes,
    TooMuchUnpublishedWork,
)
from media.rtmp_ingest.errors import Misuse, RtmpError
from media.rtmp_ingest.events import (
    AudioReceived,
    Metadata,
    PublishEnded,
    PublishRequested,
    SessionClosed,
    VideoReceived,
)
from media.rtmp_ingest.session import (
    ACKNOWLEDGE_BYTES_MIN,
    STREAMS_MAX,
    WINDOW_BYTES,
    Session,
    TooManyStreams,
)
from media.rtmp_ingest.states import Late, State
from tests.media.rtmp_ingest.playbook import WELCOME, Playbook
from tests.media.rtmp_ingest.publisher import C0_C1, C2, NONCE, Client, chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from media.rtmp_ingest.events import Event

ROUNDS = int(os.environ.get("COMMEOW_FUZZ_ROUNDS", "600"))
REQUESTED = PublishRequested(1, "live", "demo_key")


# --- conversations ---------------------------------------------------------------------------------------------------


def test_an_encoder_streams_and_stops():
    book = Playbook()
    client = book.client
    (
        book.sends(C0_C1)
        .hears()
        .sends(C2, client.chunk_size(4096), client.connect())
        .hears(*WELCOME)
        .sends(client.command("releaseStream", 2.0, None, "demo_key"))
        .hears("_result")
        .sends(client.command("FCPublish", 3.0, None, "demo_key"))
        .hears("_result", "onFCPublish NetStream.Publish.Start")
        .sends(client.create_stream())
        .hears("_result 1")
        .sends(client.publish())
        .tells(REQUESTED)
        .accepts()
        .hears("UserControl 0 00000001", "onStatus NetStream.Publish.Start")
        .sends(client.metadata({"width": 1280.0}))
        .tells(Metadata({"width": 1280.0}))
        .sends(client.video(0, b"config"), client.audio(0, b"config"))
        .tells(VideoReceived(0, b"config"), AudioReceived(0, b"config"))
        .sends(client.video(33, b"frame"), client.audio(23, b"sound"))
        .tells(VideoReceived(33, b"frame"), AudioReceived(23, b"sound"))
        .sends(client.command("FCUnpublish", 6.0, None, "demo_key"))
        .tells(PublishEnded())
        .hears("_result", "onStatus NetStream.Unpublish.Success")
        .sends(client.command("deleteStream", 7.0, None, 1.0))
        .hangs_up()
        .ends("the peer closed the connection")
    )

    assert book.session.state is State.CLOSED


def test_answers_in_chunks_of_4096():
    book = Playbook().asks()

    assert book._heard._reader._size == 4096


def test_a_wrong_key_is_refused_in_words_and_closed():
    (
        Playbook()
        .asks()
        .rejects("NetStream.Publish.BadName", "unknown stream key")
        .hears("onStatus NetStream.Publish.BadName")
        .ends("refused: NetStream.Publish.BadName")
        .expect_no_more()
    )


def test_the_words_of_a_refusal_are_an_error_on_the_stream_that_asked():
    book = Playbook().asks()
    book.session.reject(1, "NetStream.Publish.Denied", "already live")
    written = book.session.data_to_send()

    assert b"error" in written
    assert b"already live" in written
    assert int.from_bytes(written[8:12], "little") == 1


def test_nothing_is_read_while_the_question_is_open():
    book = Playbook()
    client = book.client
    (
        book.asks()
        .sends(client.metadata({"a": 1.0}), client.video(0, b"early"))
        .sends(client.video(33, b"later")[:7])
        .accepts()
        .hears("UserControl 0 00000001", "onStatus NetStream.Publish.Start")
        .tells(Metadata({"a": 1.0}), VideoReceived(0, b"early"))
        .sends(client.video(33, b"later")[7:])
        .tells(VideoReceived(33, b"later"))
        .expect_no_more()
    )


def test_what_waited_for_the_answer_may_end_the_session():
    book = Playbook()
    book.asks().sends(book.client.chunk_size(0)).accepts()
    book.hears("UserControl 0 00000001", "onStatus NetStream.Publish.Start")
    book.tells(*book._events)

    assert book.session.state is State.CLOSED


def test_a_refused_stranger_s_early_media_is_never_looked_at():
    book = Playbook()
    book.asks().sends(book.client.video(0)).rejects("NetStream.Publish.BadName", "no").skips()

    assert book.session.state is State.CLOSED


def test_one_connection_publishes_again():
    book = Playbook()
    client = book.client
    (
        book.publishes()
        .sends(client.video(0, b"first"))
        .tells(VideoReceived(0, b"first"))
        .sends(client.stop())
        .skips()
        .sends(client.create_stream())
        .hears("_result 2")
        .sends(client.publish(stream=2))
        .tells(PublishRequested(2, "live", "demo_key"))
        .accepts(2)
        .hears("UserControl 0 00000002", "onStatus NetStream.Publish.Start")
        .sends(client.video(0, b"second"))
        .tells(VideoReceived(0, b"second"))
        .expect_no_more()
    )


def test_a_second_publish_is_denied_and_the_first_goes_on():
    book = Playbook()
    client = book.client
    (
        book.publishes()
        .sends(client.create_stream())
        .hears("_result 2")
        .sends(client.publish("other", stream=2))
        .hears("onStatus NetStream.Publish.Denied")
        .sends(client.video(40, b"frame"))
        .tells(VideoReceived(40, b"frame"))
        .expect_no_more()
    )


def test_taken_off_the_air_in_words():
    (
        Playbook()
        .publishes()
        .cuts("NetStream.Publish.Denied", "the stream key was changed")
        .hears("onStatus NetStream.Publish.Denied")
        .ends("refused: NetStream.Publish.Denied")
        .expect_no_more()
    )


def test_a_cut_before_anything_was_said_is_a_close():
    Playbook().cuts("NetStream.Publish.Denied", "words").ends("cut: NetStream.Publish.Denied").expect_no_more()


@pytest.mark.parametrize("prepare", ["asks", "publishes"])
def test_lost_without_a_word(prepare):
    getattr(Playbook(), prepare)().hangs_up().ends("the peer closed the connection").expect_no_more()


def test_closed_by_us_without_a_word():
    Playbook().publishes().closes("the server is closing").ends("the server is closing").expect_no_more()


def test_after_the_end_nothing_happens():
    book = Playbook().closes("done").ends("done")
    book.sends(C0_C1).hangs_up().waits(100).cuts("code", "words").closes("again")

    assert book.session.next_deadline() is None


def test_a_player_is_sent_to_the_browser():
    book = Playbook()
    (
        book.sends(C0_C1, C2, book.client.connect(), book.client.create_stream())
        .skips()
        .sends(book.client.command("play", 0.0, None, "demo_key", stream=1))
        .hears("onStatus NetStream.Play.Failed")
        .ends("refused: NetStream.Play.Failed")
        .expect_no_more()
    )


def test_an_application_name_that_cannot_be_one():
    book = Playbook()
    (
        book.sends(C0_C1, C2, book.client.connect("../etc"))
        .hears("_error NetConnection.Connect.Rejected", "onStatus NetConnection.Connect.InvalidApp")
        .ends("refused: NetConnection.Connect.InvalidApp")
        .expect_no_more()
    )


def test_the_key_and_the_application_name_without_their_queries():
    book = Playbook()
    book.sends(C0_C1, C2, book.client.connect("live/room/?a=b"), book.client.create_stream()).skips()
    book.sends(book.client.publish("demo_key?token=x")).tells(
        PublishRequested(1, "live/room", "demo_key")
    ).expect_no_more()


def test_metadata_is_told_until_it_changes():
    book = Playbook()
    client = book.client
    (
        book.publishes()
        .sends(client.metadata({"a": 1.0}), client.metadata({"a": 1.0}))
        .tells(Metadata({"a": 1.0}))
        .sends(client.metadata({"a": 2.0}))
        .tells(Metadata({"a": 2.0}))
        .sends(client.metadata({"a": 1.0}))
        .tells(Metadata({"a": 1.0}))
        .expect_no_more()
    )


# --- time ------------------------------------------------------------------------------------------------------------


def test_first_byte_within_five_seconds():
    book = Playbook(now=100.0)

    assert book.session.next_deadline() == 105.0
    book.waits(4.999).waits(0.001).ends("peer did not send its first byte within 5 s", Late)


def test_handshake_within_five_seconds_of_the_first_byte():
    book = Playbook(now=100.0).waits(4).sends(C0_C1[:1])

    assert book.session.next_deadline() == 109.0
    book.waits(3).sends(C0_C1[1:], C2[:-1]).waits(1.999).waits(0.001).ends(
        "peer did not finish its handshake within 5 s", Late
    )


def test_publish_within_ten_seconds_of_the_handshake():
    book = Playbook(now=100.0).sends(C0_C1, C2)

    assert book.session.next_deadline() == 110.0
    book.waits(9).sends(book.client.connect(), book.client.create_stream()).skips()
    # Neither connecting nor chattering buys time.
    book.sends(book.client.command("_checkbw", 9.0, None)).hears("_result")
    book.waits(0.999).waits(0.001).ends("peer did not publish within 10 s", Late)


def test_no_time_runs_while_the_question_is_open():
    book = Playbook().asks()

    assert book.session.next_deadline() is None
    book.waits(1000).accepts().hears("UserControl 0 00000001", "onStatus NetStream.Publish.Start")

    assert book.session.next_deadline() == book.now + 10


def test_first_media_within_ten_seconds():
    book = Playbook().publishes().waits(9)
    book.sends(book.client.metadata({"a": 1.0}), book.client.audio(0, b"")).tells(Metadata({"a": 1.0}))
    book.waits(0.999).waits(0.001).ends("peer did not send its first media within 10 s", Late).expect_no_more()


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_media_at_least_every_ten_seconds(kind):
    book = Playbook().publishes().waits(9)
    for _ in range(3):
        book.sends(getattr(book.client, kind)(0)).skips().waits(9)
    # Pings are no media.
    book.sends(book.client.typed(messages.UserControl(6, bytes(4)))).hears("UserControl 7 00000000")
    book.waits(0.999).waits(0.001).ends("peer did not send media within 10 s", Late).expect_no_more()


def test_publish_again_within_ten_seconds_of_the_end():
    book = Playbook().publishes().sends(Client().video(0)).skips().waits(5).sends(Client().stop()).skips()

    assert book.session.next_deadline() == book.now + 10
    book.waits(10).ends("peer did not publish within 10 s", Late)


def test_a_tick_in_time_is_nothing():
    Playbook().waits(1).publishes().waits(1).waits(1).expect_no_more()


# --- bytes -----------------------------------------------------------------------------------------------------------


def fill(session: Session, total: int) -> None:
    """Send messages of a type that means nothing, until `total` bytes were sent in all."""
    client = Client()
    while (left := total - session.bytes_received) > 0:
        size = min(left, 60_000)
        chunks = client.message(99, bytes(max(size - 12 - (size // 128), 0)))
        # What does not fit is the beginning of one more message.
        session.receive_data(chunks[:left], 0.0)


def test_bytes_before_publishing_at_their_limit():
    session = Session(0.0, NONCE)
    session.receive_data(C0_C1 + C2, 0.0)
    fill(session, UNPUBLISHED_BYTES_MAX)

    assert session.bytes_received == UNPUBLISHED_BYTES_MAX
    assert session.state is State.OPENED
    session.receive_data(b"\0", 0.0)
    (closed,) = session.events()

    assert isinstance(closed.cause, TooManyUnpublishedBytes)
    assert str(UNPUBLISHED_BYTES_MAX) in closed.reason


def test_bytes_that_wait_for_our_answer_count():
    book = Playbook().asks()
    book.sends(bytes(UNPUBLISHED_BYTES_MAX - book.session.bytes_received))

    assert book.session.state is State.DECIDING
    book.sends(b"\0").ends(f"more than {UNPUBLISHED_BYTES_MAX} bytes without publishing", TooManyUnpublishedBytes)


def test_bytes_of_a_publisher_do_not_count():
    book = Playbook().publishes()
    client = Client()
    client.chunk_size(4096)
    book.sends(Client().chunk_size(4096))
    for _ in range(3):
        book.sends(client.video(0, bytes(UNPUBLISHED_BYTES_MAX))).skips()
    book.sends(client.stop()).skips()

    assert book.session.state is State.CONNECTED
    filler = client.message(99, bytes(600_000)) * 2
    book.sends(filler[:UNPUBLISHED_BYTES_MAX]).skips()

    assert book.session.state is State.CONNECTED
    book.sends(filler[UNPUBLISHED_BYTES_MAX:][:1]).skips()

    assert book.session.state is State.CLOSED


def test_messages_before_publishing_at_their_limit():
    book = Playbook().sends(C0_C1, C2)
    book.sends(book.client.message(99, b"x") * UNPUBLISHED_MESSAGES_MAX)

    assert book.session.state is State.OPENED
    book.sends(book.client.message(99, b"x"))
    (closed,) = book._events

    assert isinstance(closed.cause, TooMuchUnpublishedWork)
    assert str(UNPUBLISHED_MESSAGES_MAX) in closed.reason


def test_chunks_before_publishing_at_their_limit():
    """Two messages without end, a byte of each in turn: no message is ever whole, and every byte has a header."""
    book = Playbook().sends(C0_C1, C2, Client().chunk_size(1))
    book.sends(*(chunk(0, number, b"x", time=0, length=60_000) for number in (4, 5)))
    book.sends((chunk(3, 4, b"x") + chunk(3, 5, b"x")) * ((UNPUBLISHED_CHUNKS_MAX - 3) // 2))
    left = UNPUBLISHED_CHUNKS_MAX - book.session._reader.headers

    assert left in {0, 1}
    assert book.session.state is State.OPENED
    book.sends(chunk(3, 4, b"x") + chunk(3, 5, b"x"))

    assert isinstance(book._events[0].cause, TooMuchUnpublishedWork)


def test_the_work_of_a_publisher_does_not_count():
    book = Playbook().publishes().sends(Client().video(0) * UNPUBLISHED_CHUNKS_MAX).skips()
    book.sends(book.client.stop(), book.client.message(99, b"x") * (UNPUBLISHED_MESSAGES_MAX - 1)).skips()

    assert book.session.state is State.CONNECTED


def test_acknowledges_every_half_window():
    book = Playbook().publishes()
    client = book.client
    book.sends(client.chunk_size(65536))
    already = book.session.bytes_received
    data = client.video(0, bytes(WINDOW_BYTES // 2 - already - 12 - 19 - 1))
    book.sends(data)

    assert book.session.bytes_received == WINDOW_BYTES // 2 - 1
    book.skips().sends(client.video(0, b""))
    book.hears(f"Acknowledgement {book.session.bytes_received}")
    book.sends(client.video(0, bytes(100_000))).skips()


def test_acknowledges_in_the_window_that_the_peer_wishes():
    book = Playbook().publishes()
    client = book.client
    book.sends(client.typed(messages.WindowAckSize(10_000))).skips()
    book.sends(client.chunk_size(65536), client.video(0, bytes(5000))).tells(VideoReceived(0, bytes(5000)))
    book.hears(f"Acknowledgement {book.session.bytes_received}")
    book.sends(client.video(0, bytes(4000))).tells(VideoReceived(0, bytes(4000))).hears().expect_no_more()


def test_a_window_of_nothing_is_no_wish():
    book = Playbook().publishes()
    book.sends(book.client.typed(messages.WindowAckSize(0)), book.client.video(0, b"x"))
    book.tells(VideoReceived(0, b"x")).hears().expect_no_more()


def test_a_tiny_window_does_not_flood():
    book = Playbook().publishes()
    client = book.client
    book.sends(client.typed(messages.WindowAckSize(1))).skips()
    book.sends(client.audio(0, b"")).sends(client.audio(0, b""))
    book.sends(client.chunk_size(65536), client.video(0, bytes(ACKNOWLEDGE_BYTES_MIN)))
    book.hears(f"Acknowledgement {book.session.bytes_received}")
    book.tells(VideoReceived(0, bytes(ACKNOWLEDGE_BYTES_MIN))).expect_no_more()


def test_acknowledgements_wrap_at_32_bits():
    book = Playbook().publishes()
    book.session._bytes_received = book.session._bytes_acknowledged = 2**32 - 100
    book.sends(book.client.typed(messages.WindowAckSize(2048))).skips()
    book.sends(book.client.chunk_size(65536), book.client.video(0, bytes(2000))).tells(VideoReceived(0, bytes(2000)))
    book.hears(f"Acknowledgement {book.session.bytes_received - 2**32}").expect_no_more()


def test_streams_at_their_limit():
    book = Playbook()
    book.sends(C0_C1, C2, book.client.connect()).skips()
    for number in range(1, STREAMS_MAX + 1):
        book.sends(book.client.create_stream()).hears(f"_result {number}")
    book.sends(book.client.command("deleteStream", 0.0, None, 3.0), book.client.create_stream())
    book.hears(f"_result {STREAMS_MAX + 1}")
    book.sends(book.client.create_stream()).ends(
        f"more than {STREAMS_MAX} message streams", TooManyStreams
    ).expect_no_more()


# --- misuse ----------------------------------------------------------------------------------------------------------


def test_an_answer_needs_its_question():
    session = Session(0.0, NONCE)
    with pytest.raises(Misuse):
        session.accept(1, 0.0)
    with pytest.raises(Misuse):
        session.reject(0, "code", "words")


def test_an_answer_to_another_question_is_none():
    book = Playbook().asks()
    for wrong in (0, 2):
        with pytest.raises(Misuse):
            book.session.accept(wrong, book.now)
    book.accepts().skips()
    with pytest.raises(Misuse):
        book.session.accept(1, book.now)


def test_the_peer_may_leave_before_the_answer():
    book = Playbook().asks().hangs_up().ends("the peer closed the connection")
    with pytest.raises(Misuse):
        book.session.accept(1, book.now)


def test_events_and_bytes_are_told_once():
    session = Session(0.0, NONCE)
    session.receive_data(C0_C1, 0.0)

    assert len(session.data_to_send()) == 3073
    assert session.data_to_send() == b""
    session.close("done")

    assert session.events() == [SessionClosed("done")]
    assert session.events() == []


# --- anything at all -------------------------------------------------------------------------------------------------


def scraps(client: Client) -> list[bytes]:
    """Things that encoders say, and some that they do not."""
    return [
        client.connect(),
        client.create_stream(),
        client.publish(),
        client.stop(),
        client.video(40),
        client.audio(40),
        client.metadata({"a": 1.0}),
        client.command("deleteStream", 0.0, None, 1.0),
        client.command("closeStream", 0.0, None, stream=1),
        client.command("FCPublish", 3.0, None, {}),
        client.typed(messages.WindowAckSize(5000)),
        client.typed(messages.UserControl(6, bytes(4))),
        client.message(22, bytes(30)),
        client.message(17, b"\0\x02"),
        b"\0",
        b"\xff" * 20,
    ]


def iter_events(session: Session) -> Iterator[Event]:
    while events := session.events():
        yield from events


def test_fuzz_no_bytes_raise_and_every_end_has_a_documented_cause():
    random = Random(8)
    ended: set[str] = set()
    for _ in range(ROUNDS):
        session, now = Session(0.0, NONCE), 0.0
        script = bytearray(C0_C1 + C2 + b"".join(random.choices(scraps(Client()), k=random.randint(0, 12))))
        if random.random() < 0.5:
            script = bytearray(Client().start()) + script[3073:]
        for _ in range(random.choice((0, 0, 1, 3, 10))):
            script[random.choice((0, random.randrange(3073, max(len(script), 3074)))) % len(script)] = (
                random.getrandbits(8)
            )
        at, closed = 0, 0
        while at < len(script):
            size = random.choice((1, 50, 1000, 5000))
            now += random.choice((0.0, 0.01, 3.0))
            session.receive_data(bytes(script[at : at + size]), now)
            session.tick(now)
            at += size
            for event in iter_events(session):
                if isinstance(event, PublishRequested) and random.random() < 0.8:
                    session.accept(event.request_id, now)
                elif isinstance(event, PublishRequested):
                    session.reject(event.request_id, "code", "words")
                elif isinstance(event, SessionClosed):
                    closed += 1
                    if event.cause is not None:
                        assert isinstance(event.cause, RtmpError)
                        ended.add(type(event.cause).__name__)
            session.data_to_send()

            assert closed <= 1
    # The fuzzer must get somewhere: many kinds of ends, not one.
    assert len(ended) >= 5, ended
