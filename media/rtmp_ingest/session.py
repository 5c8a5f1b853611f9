"""Core: one publisher's connection from its first byte to its end, on the state machine of states.py.

Drive it one input at a time: `receive_data`, `tick`, `accept`, `reject`, `cut` or `close`; then take every event, then
send `data_to_send`, then wait for bytes or for `next_deadline`, whichever comes first. Nothing here ever raises what
the peer did: it ends in SessionClosed. Misuse is the caller's fault.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from media.rtmp_ingest import messages, replies
from media.rtmp_ingest.allowance import Allowance
from media.rtmp_ingest.chunks import AGGREGATE, AUDIO, VIDEO, ChunkReader, ChunkWriter, Message
from media.rtmp_ingest.errors import AmfError, MessageError, Misuse, RtmpError, SessionError
from media.rtmp_ingest.events import (
    AudioReceived,
    Event,
    Metadata,
    PublishEnded,
    PublishRequested,
    SessionClosed,
    VideoReceived,
)
from media.rtmp_ingest.handshake import Handshake
from media.rtmp_ingest.names import app_name, stream_key
from media.rtmp_ingest.states import TRANSITIONS, Late, OutOfOrder, Stage, State, Trigger

# Encoders make one; some hardware makes a second for feedback.
STREAMS_MAX: Final = 8

# The window we announce and, until the peer wishes another, keep; Flash Media Server's.
WINDOW_BYTES: Final = 2_500_000
# Below this, acknowledgements would be a notable part of the traffic.
ACKNOWLEDGE_BYTES_MIN: Final = 1024
CHUNK_BYTES_OUT: Final = 4096

# While the question of PublishRequested is open, bytes wait: nothing of a stranger's stream is looked at.
READING: Final = frozenset(State) - {State.DECIDING, State.CLOSED}
MEDIA: Final = frozenset({VIDEO, AUDIO})
CONVERSING: Final = frozenset({State.CONNECTED, State.DECIDING, State.PUBLISHING})

CONTROL_CHUNK_STREAM: Final = 2
COMMAND_CHUNK_STREAM: Final = 3
STATUS_CHUNK_STREAM: Final = 5

# Answers of the peer to us; to answer them would be an echo without end.
ANSWERS: Final = frozenset({"_result", "_error", "onStatus"})


class TooManyStreams(SessionError):
    """More than STREAMS_MAX message streams at a time."""

    def __str__(self) -> str:
        return f"more than {STREAMS_MAX} message streams"


class Session:
    """One connection. `nonce` is handshake.NONCE_BYTES of randomness."""

    def __init__(self, now: float, nonce: bytes) -> None:
        self._state = State.HANDSHAKING
        self._handshake = Handshake(nonce)
        self._reader = ChunkReader()
        self._writer = ChunkWriter()
        self._events: list[Event] = []
        self._out: list[bytes] = []
        self._deadline: float | None = None
        self._arm(Stage.FIRST_BYTE, now)

        self._bytes_received = 0
        self._bytes_acknowledged = 0
        self._allowance = Allowance()
        self._window_bytes = WINDOW_BYTES

        self._app = ""
        self._streams: set[int] = set()
        self._streams_made = 0
        self._request_id = 0
        self._publishing_stream = 0
        self._publishing_name: Any = None
        self._metadata: dict[str, Any] | None = None

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._state

    @property
    def bytes_received(self) -> int:
        """All bytes so far, the handshake's too."""
        return self._bytes_received

    # --- inputs ---

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes in any split; b"" says that the peer has closed. Ignored after SessionClosed."""
        if self._state is State.CLOSED:
            return
        if not data:
            self.close("the peer closed the connection")
            return
        self._bytes_received += len(data)
        try:
            if self._state is not State.PUBLISHING:
                self._allowance.spend_bytes(len(data))
            if self._state is State.HANDSHAKING:
                data = self._shake_hands(data, now)
            self._reader.receive_data(data)
            self._read(now)
            if self._state is not State.PUBLISHING:
                self._allowance.check_chunks(self._reader.headers)
            self._acknowledge()
        except RtmpError as error:
            self._fail(error)

    def tick(self, now: float) -> None:
        """Say that time has passed: ends the session if the peer is late."""
        if self._deadline is not None and now >= self._deadline:
            self._fail(Late(self._stage))

    def next_deadline(self) -> float | None:
        """Return when to call `tick`; None: no time runs (a question is open, or the session is over)."""
        return self._deadline

    def accept(self, request_id: int, now: float) -> None:
        """Let the peer stream. What it has already sent is read now."""
        self._check_request(request_id)
        self._move(Trigger.ACCEPT)
        self._arm(Stage.FIRST_MEDIA, now)
        self._allowance.renew(self._reader.headers)
        stream = self._publishing_stream
        self._send(messages.UserControl(messages.STREAM_BEGIN, stream.to_bytes(4, "big")), CONTROL_CHUNK_STREAM)
        self._send_status(stream, "status", "NetStream.Publish.Start", "Publishing.")
        try:
            self._read(now)
        except RtmpError as error:
            self._fail(error)

    def reject(self, request_id: int, code: str, description: str) -> None:
        """Refuse the peer in words that its encoder shows (errors.Refused says which), and close."""
        self._check_request(request_id)
        self._refuse(self._publishing_stream, code, description)

    def cut(self, code: str, description: str) -> None:
        """Take the peer off the air in words, and close. Before it asked to publish, there is nobody to tell."""
        if self._state in CONVERSING:
            self._refuse(self._publishing_stream, code, description)
        else:
            self.close(f"cut: {code}")

    def close(self, reason: str) -> None:
        """End without a word. Ignored after SessionClosed."""
        self._end(reason, None)

    # --- outputs ---

    def events(self) -> list[Event]:
        """Return what happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    @property
    def has_data_to_send(self) -> bool:
        """Whether there is any."""
        return bool(self._out)

    def data_to_send(self) -> bytes:
        """Return the bytes to send since the last call. After SessionClosed: send them, then close."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # --- the machine ---

    def _move(self, trigger: Trigger) -> None:
        row = TRANSITIONS[self._state]
        if trigger not in row:
            raise OutOfOrder(trigger, self._state)
        self._state = row[trigger]

    def _arm(self, stage: Stage, now: float) -> None:
        self._stage = stage
        self._deadline = now + stage.seconds_max

    def _end(self, reason: str, cause: RtmpError | None) -> None:
        if self._state is not State.CLOSED:
            self._move(Trigger.CLOSE)
            self._deadline = None
            self._events.append(SessionClosed(reason, cause))

    def _fail(self, error: RtmpError) -> None:
        self._end(str(error), error)

    def _check_request(self, request_id: int) -> None:
        if self._state is not State.DECIDING or request_id != self._request_id:
            raise Misuse(f"request {request_id} is not open")

    def _shake_hands(self, data: bytes, now: float) -> bytes:
        if self._stage is Stage.FIRST_BYTE:
            self._arm(Stage.HANDSHAKE, now)
        progress = self._handshake.receive_data(data)
        if progress.reply:
            self._out.append(progress.reply)
        if progress.done:
            self._move(Trigger.HANDSHAKEN)
            self._arm(Stage.PUBLISH, now)
        return progress.rest

    def _read(self, now: float) -> None:
        while self._state in READING:
            message = self._reader.next_message()
            if message is None:
                return
            if self._state is not State.PUBLISHING:
                self._allowance.spend_message()
                self._allowance.check_chunks(self._reader.headers)
            self._take(message, now)

    def _take(self, message: Message, now: float) -> None:
        type_id = message.type_id
        if type_id in MEDIA:
            # An empty audio message is an encoder's way to say silence.
            if message.payload and self._state is State.PUBLISHING:
                self._stage = Stage.MEDIA
                self._deadline = now + Stage.MEDIA.seconds_max
                kind = VideoReceived if type_id == VIDEO else AudioReceived
                self._events.append(kind(message.timestamp, message.payload))
        elif type_id == AGGREGATE:
            for part in messages.split(message):
                if part.type_id in {VIDEO, AUDIO, messages.DATA}:
                    self._take(part, now)
        elif type_id in {messages.DATA, messages.DATA_AMF3}:
            self._take_data(message)
        elif type_id in {messages.COMMAND, messages.COMMAND_AMF3}:
            self._take_command(message, now)
        else:
            self._take_control(messages.read(type_id, message.payload))

    def _take_control(self, message: messages.Typed) -> None:
        """Obey a control message; which chunk or message stream it came on makes no difference. Others are ignored."""
        if isinstance(message, messages.WindowAckSize) and message.size:
            self._window_bytes = message.size
        elif isinstance(message, messages.UserControl) and message.kind == messages.PING_REQUEST:
            pong = messages.UserControl(messages.PING_RESPONSE, message.data[:4])
            self._send(pong, CONTROL_CHUNK_STREAM)

    def _acknowledge(self) -> None:
        due = max(self._window_bytes // 2, ACKNOWLEDGE_BYTES_MIN)
        if self._state in CONVERSING and self._bytes_received - self._bytes_acknowledged >= due:
            self._bytes_acknowledged = self._bytes_received
            sequence = messages.Acknowledgement(self._bytes_received & 0xFFFFFFFF)
            self._send(sequence, CONTROL_CHUNK_STREAM)

    def _take_data(self, message: Message) -> None:
        if self._state is not State.PUBLISHING:
            return
        try:
            data = messages.read(message.type_id, message.payload)
        except (AmfError, MessageError):
            return  # Nothing depends on metadata, so a broken one costs the viewers nothing.
        assert isinstance(data, messages.Data)
        values = data.values[1:] if data.values[:1] == ["@setDataFrame"] else data.values
        match values:
            case ["onMetaData", dict(named), *_] if named != self._metadata:
                self._metadata = named
                self._events.append(Metadata(dict(named)))

    def _take_command(self, message: Message, now: float) -> None:
        command = messages.read(message.type_id, message.payload)
        assert isinstance(command, messages.Command)
        if command.name == "connect":
            self._connect(command)
        elif self._state not in CONVERSING:
            raise OutOfOrder(None, self._state)
        elif command.name in self._COMMANDS:
            self._COMMANDS[command.name](self, command, message.stream_id, now)
        elif command.name not in ANSWERS:
            self._answer(command)

    # --- commands ---

    def _connect(self, command: messages.Command) -> None:
        self._move(Trigger.CONNECT)  # It buys no time: from the handshake to publishing there is one deadline.
        asked = command.object if isinstance(command.object, dict) else {}
        app = app_name(asked.get("app", ""))
        if app is None:
            words = "application names are made of letters, digits, - and _"
            self._send(replies.connect_error(command, "NetConnection.Connect.Rejected", words), COMMAND_CHUNK_STREAM)
            # OBS looks for its refusal in an onStatus only.
            self._refuse(0, "NetConnection.Connect.InvalidApp", words)
            return
        self._app = app
        self._send(messages.WindowAckSize(WINDOW_BYTES), CONTROL_CHUNK_STREAM)
        self._send(messages.SetPeerBandwidth(WINDOW_BYTES, messages.LIMIT_DYNAMIC), CONTROL_CHUNK_STREAM)
        self._send(messages.SetChunkSize(CHUNK_BYTES_OUT), CONTROL_CHUNK_STREAM)
        self._send(replies.connect_result(command), COMMAND_CHUNK_STREAM)

    def _create_stream(self, command: messages.Command, _stream: int, _now: float) -> None:
        if len(self._streams) == STREAMS_MAX:
            raise TooManyStreams
        self._streams_made += 1
        self._streams.add(self._streams_made)
        self._send(replies.result(command, float(self._streams_made)), COMMAND_CHUNK_STREAM)

    def _announce(self, command: messages.Command, _stream: int, _now: float) -> None:
        self._answer(command)
        self._send(
            replies.notice("onFCPublish", "NetStream.Publish.Start", "Publishing may begin."), COMMAND_CHUNK_STREAM
        )

    def _publish(self, command: messages.Command, stream: int, _now: float) -> None:
        name = command.arguments[0] if command.arguments else None
        key = stream_key(name, self._app)
        if self._state is State.PUBLISHING:
            words = "this connection is already publishing"
            self._send_status(stream, "error", "NetStream.Publish.Denied", words)
        elif stream not in self._streams:
            self._refuse(stream, "NetStream.Publish.Rejected", "publish needs a stream made by createStream")
        elif key is None:
            words = "unknown stream key: a key is made of letters, digits, - and _"
            self._refuse(stream, "NetStream.Publish.BadName", words)
        else:
            # The kind (live, record, append) makes no difference: nothing is recorded under a name of the peer's.
            self._move(Trigger.PUBLISH)
            self._deadline = None  # The time now is ours.
            self._publishing_stream, self._publishing_name = stream, name
            self._request_id += 1
            self._events.append(PublishRequested(self._request_id, self._app, key))

    def _unannounce(self, command: messages.Command, _stream: int, now: float) -> None:
        self._answer(command)
        if command.arguments[:1] == [self._publishing_name]:
            self._unpublish(self._publishing_stream, now)

    def _close_stream(self, _command: messages.Command, stream: int, now: float) -> None:
        self._unpublish(stream, now)

    def _delete_stream(self, command: messages.Command, _stream: int, now: float) -> None:
        number = command.arguments[0] if command.arguments else None
        stream = int(number) if isinstance(number, float) and 0 < number <= self._streams_made else 0
        self._streams.discard(stream)
        self._unpublish(stream, now)

    def _unpublish(self, stream: int, now: float) -> None:
        """End the publishing if it is on `stream`; of any other stream it is none of our business."""
        if self._state is State.PUBLISHING and stream == self._publishing_stream:
            self._move(Trigger.UNPUBLISH)
            self._arm(Stage.PUBLISH, now)
            self._metadata = None
            self._allowance.renew(self._reader.headers)
            self._send_status(stream, "status", "NetStream.Unpublish.Success", "Unpublished.")
            self._events.append(PublishEnded())

    def _play(self, _command: messages.Command, stream: int, _now: float) -> None:
        self._refuse(stream, "NetStream.Play.Failed", "this port takes streams in; watch in the browser")

    _COMMANDS: ClassVar = {
        "createStream": _create_stream,
        "FCPublish": _announce,
        "publish": _publish,
        "FCUnpublish": _unannounce,
        "closeStream": _close_stream,
        "deleteStream": _delete_stream,
        "play": _play,
    }

    # --- words out ---

    def _answer(self, command: messages.Command) -> None:
        # Anything that waits for an answer gets one, or an encoder waits for ever. NaN and infinity wait for none.
        if 0 < command.transaction < 1 << 53:
            self._send(replies.result(command), COMMAND_CHUNK_STREAM)

    def _refuse(self, stream: int, code: str, description: str) -> None:
        if self._state is not State.CLOSED:
            self._send_status(stream, "error", code, description)
            self._end(f"refused: {code}", None)

    def _send_status(self, stream: int, level: str, code: str, description: str) -> None:
        self._send(replies.status(level, code, description), STATUS_CHUNK_STREAM, stream)

    def _send(self, message: messages.Typed, chunk_stream_id: int, stream: int = 0) -> None:
        type_id, payload = messages.write(message)
        self._out.append(self._writer.write(Message(type_id, 0, stream, payload), chunk_stream_id))
