"""The end of a process at any await, for tests."""

import asyncio

from db.errors import StoreError
from db.order_errors import OrderError


class Cut:
    """Awaits a coroutine up to its n-th suspension, and cancels it there as the end of a process would."""

    def __init__(self, coroutine, at):
        self._coroutine = coroutine
        self._left = at

    def __await__(self):
        steps = self._coroutine.__await__()
        call, given = steps.send, None
        while True:
            try:
                waits_for = call(given)
            except StopIteration as end:
                return end.value
            self._left -= 1
            if not self._left:
                asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
            try:
                call, given = steps.send, (yield waits_for)
            except BaseException as error:  # noqa: BLE001 (it belongs to the coroutine)
                call, given = steps.throw, error

    @property
    def happened(self):
        """Whether there were so many suspensions at all."""
        return self._left <= 0


async def cut(coroutine, at):
    """Run a coroutine to its n-th await and no further; tell whether it came to that."""
    cutting = Cut(coroutine, at)

    async def run():
        return await cutting

    task = asyncio.create_task(run())
    [outcome] = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError | OrderError | StoreError):
        raise outcome
    return cutting.happened
