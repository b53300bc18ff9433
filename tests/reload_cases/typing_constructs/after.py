# file: kinds.py
from typing import Generic, NamedTuple, NewType, Protocol, TypedDict, TypeVar, runtime_checkable

T = TypeVar("T")
Coins = NewType("Gold", int)


@runtime_checkable
class Sharp(Protocol):
    def cut(self) -> str: ...

    def hone(self) -> str: ...


class Offer(TypedDict):
    price: int
    count: int


class Place(NamedTuple):
    x: int = 0
    y: int = 0


class Box(Generic[T]):
    label = "chest"
# file: talk.py
from .kinds import Box, Coins, Offer, Place, Sharp


class Knife:
    def cut(self):
        return "snip"


class Crate(Box[int]):
    pass


def seen():
    return [
        isinstance(Knife(), Sharp),
        Coins(3),
        Coins.__name__,
        sorted(Offer.__annotations__),
        Place()._asdict(),
        Crate().label,
    ]
