# file: kinds.py
from enum import Enum


class Mood(Enum):
    CALM = "calm"
    ANGRY = "angry"
# file: talk.py
from .kinds import Mood


def words(mood):
    return "hello" if mood is Mood.CALM else "grr"


def moods():
    return [mood.name for mood in Mood]
