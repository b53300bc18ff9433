"""Putting things into words, also for those who listen to them: one item per line, so that each can be heard alone."""

from collections.abc import Sequence

from perdure import Player


def listing(player: Player, heading: str, items: Sequence[str]) -> str:
    """A list as a sentence, `On the ground: an apple, a spoon.`, or as lines for those who listen."""
    if player.screenreader:
        return "\n".join([f"{heading}:", *items])
    return f"{heading}: {', '.join(items)}."


def counted(things: Sequence[str]) -> list[str]:
    """Things with how many there are of each: an apple, 2 rat tails."""
    return [in_words(thing, things.count(thing)) for thing in dict.fromkeys(things)]


def in_words(thing: str, count: int) -> str:
    """So many of a thing."""
    if count == 1:
        return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
    noun, _, rest = thing.partition(" of ")
    return f"{count} {noun}s of {rest}" if rest else f"{count} {thing}s"
