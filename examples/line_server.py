"""A chat in its simplest form: each line that somebody sends goes to all others. It stands for a network."""

import asyncio
import sys


async def serve(host: str, port: int) -> asyncio.Server:
    people: set[asyncio.StreamWriter] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        people.add(writer)
        try:
            while line := await reader.readline():
                for other in people - {writer}:
                    other.write(line)
        except (ConnectionError, ValueError):  # gone, or a line without an end
            pass
        finally:
            people.discard(writer)
            writer.close()

    return await asyncio.start_server(talk, host, port)


async def main(port: int) -> None:
    async with await serve("127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if sys.argv[1:] else 4400))
