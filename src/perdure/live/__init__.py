"""Generations of Python code: sources captured as bytes, loaded aside under names of their own.

Usable alone: `Live` reloads the modules of any asyncio program (docs/how-to/reload-a-bot.md). It is imported when
it is first used, so that who only loads code does not pay for watching files.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.live.live import Live, Report

__all__ = ["Live", "Report"]


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives."""
    if name not in __all__:
        raise AttributeError(f"module 'perdure.live' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module("perdure.live.live"), name)
    return value
