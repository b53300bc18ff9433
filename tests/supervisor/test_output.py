"""Children's output: always read, bounded, kept in order."""

import asyncio
import os
from pathlib import Path

from perdure.supervisor.output import TAIL_BYTES_MAX, Output


def test_output_is_appended_over_incarnations_and_the_tail_is_the_newest(tmp_path: Path) -> None:
    """One file per instance; the tail is what the last child said."""

    async def main() -> None:
        output = Output(tmp_path / "host-1.log")
        for text in (b"first\n", b"second\n"):
            writing = output.open_pipe()
            os.write(writing, text)
            os.close(writing)
            assert output.tail() == text.decode()
        output.close()
        assert (tmp_path / "host-1.log").read_text() == "first\nsecond\n"

    asyncio.run(main())


def test_files_and_tail_are_bounded(tmp_path: Path) -> None:
    """A flood turns the file over; the end is kept (FM-59)."""

    async def main() -> None:
        output = Output(tmp_path / "host-1.log", bytes_max=100_000)
        writing = output.open_pipe()
        for number in range(20_000):
            os.write(writing, b"%07d " % number + b"x" * 23 + b"\n")
            if number % 1000 == 0:
                await asyncio.sleep(0)
                output.tail()
        assert len(output.tail()) == TAIL_BYTES_MAX
        assert output.tail().endswith("0019999 " + "x" * 23 + "\n")
        os.close(writing)
        output.close()
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 400_000

    asyncio.run(main())


def test_a_folder_that_takes_no_file_loses_output_and_nothing_else(tmp_path: Path) -> None:
    """Reading goes on: a child never waits for its log (FM-35)."""

    async def main() -> None:
        output = Output(tmp_path / "missing" / "host-1.log")
        writing = output.open_pipe()
        os.write(writing, b"lost\n")
        assert output.tail() == "lost\n"
        (tmp_path / "missing").mkdir()
        os.write(writing, b"kept\n")
        os.close(writing)
        output.close()
        assert (tmp_path / "missing" / "host-1.log").read_text() == "kept\n"

    asyncio.run(main())


def test_a_descendant_that_keeps_the_pipe_open_holds_up_nothing(tmp_path: Path) -> None:
    """Closing does not wait for the end of a pipe that somebody else holds."""

    async def main() -> None:
        output = Output(tmp_path / "host-1.log")
        writing = output.open_pipe()
        output.close()
        os.close(writing)

    asyncio.run(main())
