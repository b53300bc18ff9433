"""A chat bot whose commands are replaced while it talks. Its line: python examples/line_server.py

Run `python examples/bot.py`, connect (`nc 127.0.0.1 4400`), say `!roll 2d6`. Then edit bot_commands/roll.py,
break it, remove it, and say it again. The connection stays whatever happens to the commands.
"""

import asyncio
import sys
from pathlib import Path

from perdure.live import Live


def answer(live: Live, text: str) -> str:
    """What the bot says to a line that begins with "!"."""
    name, _, rest = text.removeprefix("!").partition(" ")
    with live.code() as modules:
        commands = {name: module.run for name, module in modules.items() if hasattr(module, "run")}
        if name not in commands:
            return "I know " + ", ".join(f"!{name}" for name in sorted(commands))
        try:
            return str(commands[name](rest))
        except Exception as error:  # noqa: BLE001  (a command's mistake is its author's, and the bot goes on)
            return f"!{name} failed: {error!r}"


async def main(host: str, port: int) -> None:
    live = Live(Path(__file__).with_name("bot_commands"))
    live.load()
    reader, writer = await asyncio.open_connection(host, port)
    async with live.watching():
        async for data in reader:
            if (line := data.decode(errors="replace").strip()).startswith("!"):
                writer.write(f"{answer(live, line)}\n".encode())
                await writer.drain()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if sys.argv[1:] else "127.0.0.1", int(sys.argv[2]) if sys.argv[2:] else 4400))
