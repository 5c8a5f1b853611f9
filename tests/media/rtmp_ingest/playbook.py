"""A conversation as a script: what comes in, and in turn everything that must come out, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.rtmp_ingest.events import SessionClosed
from media.rtmp_ingest.session import Session
from tests.media.rtmp_ingest.publisher import NONCE, Client, Heard, said

if TYPE_CHECKING:
    from media.rtmp_ingest.errors import RtmpError
    from media.rtmp_ingest.events import Event

# (Set Chunk Size stands before the last; a reader of chunks obeys it and does not hand it on.)
WELCOME = (
    "WindowAckSize",
    "SetPeerBandwidth",
    "_result NetConnection.Connect.Success",
)


class Playbook:
    """Inputs are methods that act; `tells` and `hears` take what came out since. What is left over is an error."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now
        self.session = Session(now, NONCE)
        self.client = Client()
        self._heard = Heard()
        self._events: list[Event] = []
        self._said: list[str] = []

    # --- inputs ---

    def sends(self, *data: bytes) -> Playbook:
        self._settled()
        self.session.receive_data(b"".join(data), self.now)
        return self._drained()

    def hangs_up(self) -> Playbook:
        self._settled()
        self.session.receive_data(b"", self.now)
        return self._drained()

    def waits(self, seconds: float) -> Playbook:
        """Let time pass, and tell the session."""
        self._settled()
        self.now += seconds
        self.session.tick(self.now)
        return self._drained()

    def accepts(self, request_id: int = 1) -> Playbook:
        self._settled()
        self.session.accept(request_id, self.now)
        return self._drained()

    def rejects(self, code: str, description: str, request_id: int = 1) -> Playbook:
        self._settled()
        self.session.reject(request_id, code, description)
        return self._drained()

    def cuts(self, code: str, description: str) -> Playbook:
        self._settled()
        self.session.cut(code, description)
        return self._drained()

    def closes(self, reason: str) -> Playbook:
        self._settled()
        self.session.close(reason)
        return self._drained()

    # --- expected outputs ---

    def tells(self, *events: Event) -> Playbook:
        """The events so far."""
        found, self._events = self._events, []

        assert list(events) == found
        return self

    def hears(self, *lines: str) -> Playbook:
        """What the encoder heard so far, in the words of publisher.said."""
        found, self._said = self._said, []

        assert list(lines) == found
        return self

    def ends(self, reason: str, cause: type[RtmpError] | None = None) -> Playbook:
        """The one event left is the end."""
        found, self._events = self._events, []

        assert len(found) == 1
        assert isinstance(found[0], SessionClosed)
        assert reason == found[0].reason
        assert cause is (None if found[0].cause is None else type(found[0].cause))
        assert self.session.next_deadline() is None
        return self

    def expect_no_more(self) -> Playbook:
        """Nothing else has come of it; each input looks at that too, of what was before it."""
        self._settled()
        return self

    # --- short cuts ---

    def skips(self) -> Playbook:
        """Forget what came out: it is not what this script is about."""
        self._events, self._said = [], []
        return self

    def asks(self, name: str = "demo_key") -> Playbook:
        """The encoder says all up to its wish to publish."""
        return self.sends(self.client.start(name)).skips()

    def publishes(self, name: str = "demo_key") -> Playbook:
        """... and may."""
        return self.asks(name).accepts().skips()

    def _drained(self) -> Playbook:
        self._events += self.session.events()
        self._said += said(self._heard.take(self.session.data_to_send()))
        return self

    def _settled(self) -> None:
        assert self._events == []
        assert self._said == []
