"""``python -P -m perdure.supervisor JSON``: what `perdure run` becomes once it has read its command line.

A process of its own image, so that the supervisor does not carry the command line's libraries for ever.
JSON: {"project": folder, "state": folder, "telnet": "HOST:PORT" or "", "web": the same or null,
"log_level": level}
"""

from __future__ import annotations

import sys

# A supervisor encrypts nothing, and OpenSSL would be 5 of the 30 MB that it may take: asyncio and hashlib do
# without, as in a Python that was built without it. So this comes before they are imported.
for _openssl in ("ssl", "_hashlib"):
    sys.modules[_openssl] = None  # type: ignore[assignment]

from perdure.supervisor.run import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
