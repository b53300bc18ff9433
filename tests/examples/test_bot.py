"""examples/bot.py: a chat bot whose commands are replaced while it is connected."""

import asyncio
import importlib.util
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DEADLINE_S = 60


def imported(path: Path) -> ModuleType:
    """A file of the examples as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Chat:
    """Somebody in the chat, and what the bot process told its operator."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bot: asyncio.subprocess.Process
    ) -> None:
        self.reader, self.writer, self.bot = reader, writer, bot

    async def says(self, line: str) -> str:
        """Send a line; what comes back."""
        self.writer.write(f"{line}\n".encode())
        return (await self.reader.readline()).decode().strip()

    async def reported(self) -> str:
        """The next line of the bot's report."""
        assert self.bot.stderr is not None
        return (await self.bot.stderr.readline()).decode().strip()


@asynccontextmanager
async def chatting(folder: Path) -> AsyncIterator[Chat]:
    """A line server, the bot connected to it, and somebody who talks with it."""
    server = await imported(folder / "line_server.py").serve("127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    command = [sys.executable, str(folder / "bot.py"), "127.0.0.1", str(port)]
    bot = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(DEADLINE_S):
            assert bot.stderr is not None
            while True:  # until the bot has joined the chat
                writer.write(b"!greet nobody\n")
                try:
                    await asyncio.wait_for(reader.readline(), 0.1)
                    break
                except TimeoutError:
                    continue
            yield Chat(reader, writer, bot)
    finally:
        assert bot.pid > 1
        bot.kill()
        await bot.communicate()
        writer.close()
        server.close()


def test_commands_come_change_break_and_go_while_the_bot_talks(tmp_path: Path) -> None:
    """New code answers at once, broken code changes nothing, a removed command is gone; the connection stays (P1, P2).

    (FM-42, FM-44, FM-45, FM-47)
    """

    async def main() -> None:
        for name in ("bot.py", "line_server.py", "bot_commands"):
            copy = shutil.copytree if (EXAMPLES / name).is_dir() else shutil.copy
            copy(EXAMPLES / name, tmp_path / name)
        commands = tmp_path / "bot_commands"
        async with chatting(tmp_path) as chat:
            while (answer := await chat.says("!greet Ada")) != "Hello, Ada!":
                assert answer == "Hello, nobody!"

            (commands / "words.py").write_text('HELLO = "Hi"\n')
            assert await chat.reported() == "reloaded: greet, words"
            assert await chat.says("!greet Ada") == "Hi, Ada!"

            (commands / "greet.py").write_text("def run(text):\n    return 'Hey\n")
            assert (await chat.reported()).endswith("greet.py:2: unterminated string literal (detected at line 2)")
            assert await chat.says("!greet Ada") == "Hi, Ada!"

            (commands / "greet.py").write_text("def run(text):\n    return 'Hey, ' + text\n")
            assert await chat.reported() == "reloaded: greet"
            assert await chat.says("!greet Ada") == "Hey, Ada"

            (commands / "greet.py").unlink()
            assert await chat.reported() == "removed: greet"
            assert await chat.says("!greet Ada") == "I know !roll"

            (commands / "add.py").write_text("def run(text):\n    return sum(map(int, text.split()))\n")
            assert await chat.reported() == "added: add"
            assert await chat.says("!add 1 2") == "3"
            assert (
                await chat.says("!add one")
                == "!add failed: ValueError(\"invalid literal for int() with base 10: 'one'\")"
            )

    asyncio.run(main())


def test_the_bot_is_shorter_than_forty_lines() -> None:
    """What it takes to reload the modules of any asyncio program fits on a screen."""
    assert len((EXAMPLES / "bot.py").read_text().splitlines()) < 40


@pytest.mark.parametrize("line", ["2d6", "d4", "", "1000d1"])
def test_dice_stay_in_their_bounds(line: str) -> None:
    """A line of chat is data from a stranger."""
    thrown, _, total = imported(EXAMPLES / "bot_commands" / "roll.py").run(line).partition(" = ")
    assert sum(map(int, thrown.split(" + "))) == int(total)
    assert len(thrown.split(" + ")) <= 20
