"""What `@copyover` says to whoever typed it, and to the event log."""

import asyncio
from pathlib import Path

from perdure.movement.copyover_order import HELP_IN_GAME
from perdure.supervisor.events import sentence
from tests.supervisor.copying import World, run


async def typed(world: World, *words: str, key: str, role: str = "admin") -> str:
    params = {"words": list(words), "key": key, "by": "ada", "role": role}
    answer = await world.copyovers.host_handlers()["copyover"](params)
    return str(answer["text"])


def test_advice_in_the_game_names_what_can_be_typed_there(tmp_path: Path) -> None:
    """A player has no shell."""

    async def main() -> None:
        world = World(tmp_path)
        first = asyncio.create_task(typed(world, key="k1"))
        await asyncio.sleep(1)
        refused = await typed(world, key="k2")
        assert "Look: @copyover status" in refused
        assert "perdure copyover status" not in refused
        assert await typed(world, "help", key="k3") == HELP_IN_GAME
        await first

    run(main)


def test_who_may_not_is_in_the_event_log(tmp_path: Path) -> None:
    """By name and role; nothing was begun."""

    async def main() -> None:
        world = World(tmp_path)
        assert await typed(world, key="k1", role="builder") == "Only admins may do that."
        (event,) = [event for event in world.events.recent if event["kind"] == "copyover-refused"]
        assert (event["player"], event["role"], event["what"]) == ("ada", "builder", "@copyover")
        said = "a copyover was not begun: ada (builder) typed @copyover, and only admins may"
        assert sentence(event) == said

    run(main)
