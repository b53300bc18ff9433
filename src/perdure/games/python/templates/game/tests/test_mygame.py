"""What the game promises. Run with: python -m pytest (once: python -m pip install pytest)"""

from mygame.game import MyGame
from perdure.testing import Perdure


def test_a_mug_runs_dry(perdure: Perdure) -> None:
    room = perdure.room(MyGame)
    ada = room.join("Ada")
    ada.types("order", "drink")
    assert ada.sees("4 sips left.")
    ada.types("drink", "drink", "drink", "drink", "drink")
    assert ada.sees("You have no mug. Try: order")


def test_everybody_hears_what_is_said(perdure: Perdure) -> None:
    room = perdure.room(MyGame)
    ada, bob = room.join("Ada"), room.join("Bob")
    ada.types("say cheers")
    assert bob.sees('Ada says, "cheers"')


def test_a_mug_survives_a_crash(perdure: Perdure) -> None:
    room = perdure.room(MyGame)
    ada = room.join("Ada")
    ada.types("order", "drink")
    room.crash()
    ada.types("drink")
    assert ada.sees("3 sips left.")


def test_last_call_comes_every_ten_minutes(perdure: Perdure) -> None:
    room = perdure.room(MyGame)
    ada = room.join("Ada")
    room.advance(25 * 60)  # seconds: 25 minutes
    assert ada.lines.count("Last call!") == 2
