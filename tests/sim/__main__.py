"""``python -m tests.sim [SCENARIO]...``: search these, all small ones by default; exit 3 when a promise is broken."""

import sys
import time

from tests.sim.scenarios import ALL, SMALL
from tests.sim.search import search

for name in sys.argv[1:] or SMALL:
    begun = time.monotonic()
    found = search(ALL[name])
    sys.stdout.write(f"{name}: {found.states:,} states, {found.ends} ends, {time.monotonic() - begun:.1f} s\n")
    if found.violation:
        sys.stdout.write(found.violation + "\n")
        sys.exit(3)
