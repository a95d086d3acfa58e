"""What access remembers over restarts: who is inside, wrong factors, what is locked down."""

from collections.abc import Callable

import msgspec

from rules.access import EMPTY, State
from rules.access.passages import restarted

KEY = "access/state"
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(State)


class Memory:
    """The state of one gateway; durable with the next commit of the journal."""

    def __init__(
        self, *, remember: Callable[[str, bytes], None], recall: Callable[[str], bytes | None], whole: bool
    ) -> None:
        """`whole` is false when what was kept may be lost: the journal is new, or was damaged."""
        self._remember = remember
        kept = recall(KEY)
        self.lost = not whole
        """Whether somebody may be inside, or something locked down, that is not known any more."""
        self.damaged = kept is not None and not whole
        """Whether something was kept that cannot be read, or is perhaps not the newest."""
        self._kept = kept is not None
        self.state = self.proposed = EMPTY
        """What counts; and what is written down with the next commit, or was."""
        if kept is not None:
            try:
                self.state = restarted(_decoder.decode(kept))
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.lost = self.damaged = True

    def begin(self) -> None:
        """Have something kept from now on: what is missing later was lost."""
        if not self._kept:
            self.propose(self.state)

    def put(self, state: State) -> bool:
        """Go on with another state; whether it is another one. What was proposed is overtaken by that."""
        if state == self.state:
            return False
        self.state = state
        self.propose(state)
        return True

    def propose(self, state: State) -> None:
        """Have a state on the disk that does not count yet."""
        self.proposed = state
        self._remember(KEY, _encoder.encode(state))
