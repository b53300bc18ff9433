"""The weight of a host that boots beside one that serves players: it leaves the processor to them.

Linux weighs threads (nice(2)), so what is heavy about a boot happens in a thread of low weight; the main thread never
had it, for an unprivileged process can't leave it again. But where the kernel groups processes by session
(sched(7), autogroup; usual on desktops and virtual machines, unusual in containers), a thread's weight counts among
the threads of its own session only, and every process of a server is a session. There the whole session is given
less weight, which it may leave again.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

THREAD_NICE = 19
"""The lowest weight: about 1/70 of a thread of normal weight (sched(7))."""
SESSION_NICE = 10
"""About 1/9: on a machine that has no processor to spare a successor must come up all the same."""
AGAIN_S = 0.05
"""The kernel takes a session's weight ten times a second at most."""
_AUTOGROUP = Path("/proc/self/autogroup")


def lighten_thread() -> None:
    """Give this thread the lowest weight. It cannot have another one afterwards."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), THREAD_NICE)


def lighten_session() -> None:
    """Give this process's session little weight, where sessions have one; call `restore_session` before it serves."""
    with suppress(OSError):
        _AUTOGROUP.write_text(str(SESSION_NICE))


def restore_session() -> bool:
    """Give this process's session the weight that others have; whether that was taken, else ask again soon."""
    try:
        _AUTOGROUP.write_text("0")
    except BlockingIOError:
        return False
    except OSError:  # sessions have no weight here
        return True
    return True
