"""!roll 2d6: throws dice."""

import random


def run(text: str) -> str:
    count, _, sides = (text if "d" in text else f"{text}d6").partition("d")
    rolls = [random.randint(1, int(sides)) for _ in range(min(int(count or 1), 20))]
    return f"{' + '.join(map(str, rolls))} = {sum(rolls)}"
