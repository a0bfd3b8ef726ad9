"""Child processes that the kernel ends with their parent."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def dies_with_parent(number: int) -> Callable[[], None]:
    """A `preexec_fn` that has the kernel send the child this signal once its parent has ended, however it did.

    The parent is the thread that starts the child: it has to live as long as the child shall.
    """

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, number)

    return prepare
