"""Core: what may go wrong with any store: not reached, or reached and not heard from again."""


class StoreError(Exception):
    """Base of every failure of PostgreSQL or Valkey that is not an answer."""


class StoreUnavailable(StoreError):
    """The store was not reached or refused to begin: surely nothing was done, try again later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"store unavailable: {self.reason}"


class StoreUnknown(StoreError):
    """The request went out and no answer came: it may be done. Retry with the same id."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"outcome unknown: {self.reason}"
