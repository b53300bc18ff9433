"""`__import__` as the modules of a game see it.

Each module version has one of its own, in its `__builtins__`. It knows the game's modules by the version's
environment: the versions of its generation on which its source depends. So `from . import items` and
`from mud import items` mean the same generation for ever, also inside a function that runs late. Everything else
is imported in the ordinary way.

A package is seen through a view: what its own code defines, and the modules in it as this environment has them. The
package itself may be shared by generations that differ in those.

Where Python differs: here importing a module does not run the ``__init__.py`` of the packages above it, except
where something is taken from those. Otherwise a game whose ``__init__.py`` imports everything would be one import
cycle, and a change anywhere a change of all.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from perdure.live.generation import Version
from perdure.live.graph import base_of, inner, is_below


class Importer:
    """`__import__` of one module version. Of the version it keeps only names and what retiring empties.

    Args:
        game: What the game's modules call the game.
        version: Whose imports these are; its environment is complete.
        namespace: The module's globals.
    """

    def __init__(self, game: str, version: Version, namespace: dict[str, Any]) -> None:
        self._game, self._name, self._is_package = game, version.name, version.source.is_package
        self._package = version.unique.removesuffix(f".{version.name}") if version.name else version.unique
        self._environment, self._namespace = version.environment, namespace
        self._views = {package: PackageView(self, package) for package in _packages(version.environment)}
        self._importlib = _Importlib(self)

    def __call__(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        base = self._base(name, level)
        if base is None and level:
            raise ImportError(f"`from {'.' * level}{name}` leads out of the game")
        if base is None:
            found = builtins.__import__(name, globals, locals, fromlist or (), 0)
            return self._importlib if found is importlib else found
        if fromlist:
            return self._take(base, fromlist)
        found = self.module(base)
        return self._views.get("", found)

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        """As `importlib.import_module`."""
        absolute = importlib.util.resolve_name(name, package)
        base = self._base(absolute, 0)
        return importlib.import_module(absolute) if base is None else self.module(base)

    def module(self, name: str) -> ModuleType:
        """A module of the game, or the view of a package, executed unless that has begun.

        Raises:
            ModuleNotFoundError: The environment has none of this name.
        """
        found = self._executed(name)
        if found is None:
            full = inner(self._game, name)
            raise ModuleNotFoundError(f"No module named {full!r}", name=full)
        return found

    def attribute(self, package: str, name: str) -> Any:
        """What a name of a package means here.

        Raises:
            AttributeError: Nothing.
        """
        own = self.own(package)
        if own is not None and name in vars(own):
            return vars(own)[name]
        module = inner(package, name)
        found = self._views.get(module) or self.own(module)
        if found is not None:
            return found
        if own is not None:
            return getattr(own, name)  # its own __getattr__ may know it (PEP 562)
        raise AttributeError(f"module {inner(self._game, package)!r} has no attribute {name!r}", name=name)

    def names(self, package: str) -> list[str]:
        """The names that have a meaning in a package."""
        own = self.own(package)
        below = [name for name in self._environment if is_below(name, package)]
        start = len(package) + 1 if package else 0
        return sorted({*(dir(own) if own else ()), *(name[start:].partition(".")[0] for name in below)})

    def own(self, name: str) -> ModuleType | None:
        """The module itself, if its execution has begun."""
        version = self._environment.get(name)
        return version.module if version else None

    def _base(self, name: str, level: int) -> str | None:
        """The name inside the game, None if it is not the game's. `__package__` of this module is the game's, too."""
        if not level and f"{name}.".startswith(f"{self._package}."):
            return name.removeprefix(self._package).removeprefix(".")
        return base_of(self._game, self._name, self._is_package, level, name)

    def _executed(self, name: str) -> ModuleType | None:
        for package in _above(name):
            self._execute(package)
        self._execute(name)
        found = self._views.get(name) or self.own(name)
        parent, _, last = name.rpartition(".")
        if found is not None and name and self._is_package and parent == self._name and _is_partial(self._namespace):
            self._namespace.setdefault(last, found)  # as Python does, so a package may use what it imported from
        return found

    def _execute(self, name: str) -> None:
        version = self._environment.get(name)
        if version is not None and version.execute is not None:
            version.execute()

    def _take(self, base: str, names: Sequence[str]) -> ModuleType:
        """What `from base import names` looks into."""
        found = self.module(base)
        own = self.own(base)
        if own is not None and not self._environment[base].source.is_package:
            return own
        if "*" in names and own is not None:
            names = getattr(own, "__all__", ())
            if not names:
                return own
        for name in names:
            if own is None or name not in vars(own):
                module = inner(base, name)
                if self._executed(module) is None and not _may_have(own, name):
                    self.module(module)  # which raises that there is no such module
        return found


class PackageView(ModuleType):
    """A package with the modules in it, as one module version may see them."""

    def __init__(self, importer: Importer, package: str) -> None:
        vars(self).update(_importer=importer, _package=package)  # and no names that would hide the package's own

    def __getattr__(self, name: str) -> Any:
        return vars(self)["_importer"].attribute(vars(self)["_package"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(vars(self)["_importer"].own(vars(self)["_package"]), name, value)

    def __dir__(self) -> list[str]:
        names: list[str] = vars(self)["_importer"].names(vars(self)["_package"])
        return names


class _Importlib(ModuleType):
    """`importlib` with an `import_module` that knows the game."""

    def __init__(self, importer: Importer) -> None:
        super().__init__("importlib", importlib.__doc__)
        self.import_module = importer.import_module

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)


def _may_have(module: ModuleType | None, name: str) -> bool:
    """Whether a module has a name. Of one that is half there Python says so itself."""
    return module is not None and (hasattr(module, name) or _is_partial(vars(module)))


def _is_partial(namespace: Mapping[str, Any]) -> bool:
    """Whether a module's body is still running."""
    return bool(vars(namespace["__spec__"])["_initializing"]) if "__spec__" in namespace else False


def _above(name: str) -> list[str]:
    """The packages that a module is in, the game first."""
    parts = name.split(".") if name else []
    return [".".join(parts[:count]) for count in range(len(parts))]


def _packages(environment: Mapping[str, Version]) -> set[str]:
    """The packages that something in the environment is in."""
    return {package for name in environment for package in _above(name)}
