"""For which call something is done, where nobody passes that on: deep in a provider's adapter.

Ears, voices and models are stateless and serve all calls; their ports know no call. What they cost is
charged to one all the same: tasks inherit the context of whoever began them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from telephony.call import CallId

NO_CALL = CallId("")

_current: ContextVar[CallId] = ContextVar("current call", default=NO_CALL)


def current_call() -> CallId:
    """The call on whose behalf this code runs; :data:`NO_CALL` outside of one."""
    return _current.get()


@contextmanager
def on_behalf_of(call_id: CallId) -> Iterator[None]:
    """Everything that is done or begun within the block is done for ``call_id``."""
    before = _current.set(call_id)
    try:
        yield
    finally:
        _current.reset(before)
