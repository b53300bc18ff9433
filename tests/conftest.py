"""What runs where: Perdure's processes need Linux; the pure core and its tests run anywhere."""

import sys
from pathlib import Path

PURE = {"conftest.py", "games", "link", "live", "room", "sim", "snapshot", "testing", "test_walls.py"}

if sys.platform != "linux":
    collect_ignore = sorted(entry.name for entry in Path(__file__).parent.iterdir() if entry.name not in PURE)
