"""Tables of rows: a room's state, mutated naturally and booked exactly.

A table keeps every row's encoded bytes and, once touched, the live object beside them. Rules:

- Game code gets live rows and changes them in place. Handing out a row *touches* it.
- After a callback the touched rows are encoded and compared with the bytes kept. What differs is the
  callback's change: it goes into the record and becomes the new bytes.
- Undo forgets the live objects of what was touched. The bytes, and so the order of keys, never changed.
- `peek` and `scan` hand out rows without touching them; changing such a row is the author's mistake
  (`check_untouched` finds it).
- A row's bytes begin with the version of its module (u16, little-endian). Rows of an older version stay
  as they are until touched: lazy migration.

A key that is deleted and set again within one callback keeps its place, so redo needs no notion of order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Generic, cast, overload

import msgspec
from typing_extensions import TypeVar

from perdure.errors import RowError, SchemaError
from perdure.room.record import Key
from perdure.room.rowtypes import field_texts
from perdure.snapshot.body import TableSchema

Change = tuple[str, Key, bytes | None]
Migration = Callable[[dict[str, Any]], dict[str, Any]]
HASH_BITS = 128
_PREFIX = itemgetter(slice(0, 2))


class Row(msgspec.Struct):
    """Base of the rows that authors declare: a small typed struct, stored by field name."""


R = TypeVar("R", bound=Row)
K = TypeVar("K", bound=Key, default=str)
D = TypeVar("D")


class TableSpec:
    """How a table's rows are typed, encoded and migrated, for one generation of code.

    Args:
        name: ``module.table``.
        row: The row type.
        version: Version of the owning module, 1 to 65535.
        migrations: (n, n ± 1) -> pure function of one row's fields.

    Attributes:
        schema: What snapshots say about the table.

    Raises:
        RowError: A field's type cannot be stored; table, field and reason are named.
    """

    def __init__(
        self,
        name: str,
        row: type[Row],
        version: int = 1,
        migrations: Mapping[tuple[int, int], Migration] | None = None,
    ) -> None:
        self.name, self.row, self.version = name, row, version
        self.migrations = dict(migrations or {})
        self.fields = field_texts(row, name)
        self.schema = TableSchema(version, dict(self.fields))
        self.required = {f.name for f in msgspec.structs.fields(row) if f.required}
        self.prefix = version.to_bytes(2, "little")
        self.encode = msgspec.msgpack.Encoder().encode
        self.decode = msgspec.msgpack.Decoder(row).decode

    def check(self, stored: TableSchema, *, may_lose: bool = False) -> None:
        """Accept rows written under `stored`, or refuse them.

        Args:
            may_lose: Whether fields may be gone under one version; what is in them is lost with the row's next change.

        Raises:
            SchemaError: No migrations lead from there to here, or fields changed under one version by
                more than additions with defaults.
        """
        if stored.version != self.version:
            self.path(stored.version)
            return
        for field, text in stored.fields.items():
            if self.fields.get(field) != text and not (may_lose and field not in self.fields):
                now = f"it is {self.fields[field]} now" if field in self.fields else "it is gone now"
                raise SchemaError(
                    f"table {self.name}: field {field!r} was stored as {text}, {now}, and the module's version is "
                    f"still {self.version}. The stored rows are untouched. Raise `version` and add a @migrate."
                )
        for field in self.fields.keys() - stored.fields.keys():
            if field in self.required:
                raise SchemaError(
                    f"table {self.name}: field {field!r} is new and has no default. The stored rows are untouched. "
                    f"Give it a default, or raise `version` and add a @migrate."
                )

    def read(self, data: bytes) -> Row:
        """The row in `data`, migrated to this version if it is of another one.

        Raises:
            SchemaError: A migration is missing or failed, or its result is not a row of this type.
        """
        if data[:2] == self.prefix:
            return self.decode(memoryview(data)[2:])
        version = int.from_bytes(data[:2], "little")
        fields: dict[str, Any] = msgspec.msgpack.decode(memoryview(data)[2:])
        for step in self.path(version):
            fields = step(fields)
        try:
            return msgspec.convert(fields, self.row)
        except msgspec.ValidationError as error:
            raise SchemaError(
                f"table {self.name}: migrating a row from version {version} to {self.version} gave {error}. "
                f"The stored row is untouched. Mend the migration."
            ) from error

    def write(self, key: Key, row: Row) -> bytes:
        """The row's bytes.

        Raises:
            RowError: A field holds what cannot be stored.
        """
        try:
            return self.prefix + self.encode(row)
        except (TypeError, ValueError, OverflowError) as error:
            raise RowError(f"table {self.name}, row {key!r}: {error}. Nothing of this callback was kept.") from error

    def validate(self, key: Key, data: bytes) -> None:
        """Make sure that `data` will decode: a field of the wrong type must fail now, not at recovery.

        Raises:
            RowError: It would not.
        """
        try:
            self.decode(memoryview(data)[2:])
        except msgspec.DecodeError as error:
            raise RowError(f"table {self.name}, row {key!r}: {error}. Nothing of this callback was kept.") from error

    def path(self, version: int) -> list[Migration]:
        """The migrations that lead from rows of `version` to this one.

        Raises:
            SchemaError: Some are missing; all of those are named.
        """
        step = 1 if version < self.version else -1
        edges = [(n, n + step) for n in range(version, self.version, step)]
        missing = [edge for edge in edges if edge not in self.migrations]
        if missing:
            marks = (f"@migrate({self.row.__name__}, {a}" + (")" if step == 1 else f", to={b})") for a, b in missing)
            raise SchemaError(
                f"table {self.name}: stored rows are of version {version}, the code is version {self.version}, and "
                f"there is no migration {', '.join(f'{a} -> {b}' for a, b in missing)}. The stored rows are untouched. "
                f"Add {', '.join(marks)} or run the code that wrote them."
            )
        return [self.migrations[edge] for edge in edges]


class Cells:
    """A table's encoded rows in order, with their incremental hash. Also what is kept of unknown tables."""

    def __init__(self, name: str, rows: dict[Key, bytes] | None = None) -> None:
        self.name = name
        self._rows: dict[Key, bytes] = {} if rows is None else rows
        self._hash = 0
        self._unhashed: dict[Key, bytes | None] = dict.fromkeys(self._rows)
        self._versions = Counter(map(_PREFIX, self._rows.values()))

    @property
    def versions(self) -> dict[int, int]:
        """Version of the module that wrote them -> how many rows there are of it."""
        return {int.from_bytes(prefix, "little"): count for prefix, count in list(self._versions.items()) if count}

    def of_version(self, version: int) -> Iterator[tuple[Key, bytes]]:
        """The rows that a module of `version` wrote; goes through all of them."""
        prefix = version.to_bytes(2, "little")
        return ((key, data) for key, data in self._rows.items() if data[:2] == prefix)

    def take_over(self, other: Cells) -> None:
        """Have the rows of `other`, as they are, at no cost; `other` is not used any more."""
        self._rows, self._hash, self._unhashed, self._versions = (
            other._rows, other._hash, other._unhashed, other._versions,
        )  # fmt: skip

    def image(self) -> dict[Key, bytes]:
        """The rows as of now; the caller owns the dictionary."""
        return dict(self._rows)

    def book(self, key: Key, data: bytes | None) -> None:
        """Make `data` the row's bytes (None: delete it)."""
        before = self._rows.get(key)
        self._unhashed.setdefault(key, before)
        if before is not None:
            self._versions[before[:2]] -= 1
        if data is None:
            self._rows.pop(key, None)
        else:
            self._versions[data[:2]] += 1
            self._rows[key] = data

    def redo(self, key: Key, data: bytes | None) -> None:
        """Book a change from a record."""
        self.book(key, data)

    def hash(self) -> int:
        """A hash of all (key, bytes), whatever their order. Costs only what changed since the last call."""
        for key, before in self._unhashed.items():
            after = self._rows.get(key)
            if before is not None:
                self._hash -= _row_hash(self.name, key, before)
            if after is not None:
                self._hash += _row_hash(self.name, key, after)
        self._unhashed.clear()
        self._hash %= 1 << HASH_BITS
        return self._hash


def _row_hash(table: str, key: Key, data: bytes) -> int:
    head = msgspec.msgpack.encode((table, key))
    return int.from_bytes(hashlib.blake2b(head + data, digest_size=HASH_BITS // 8).digest(), "big")


class Table(Cells, Generic[R, K]):
    """A mapping of keys to rows that survives every movement.

    Declared by annotation (``mugs: Table[Mug]``, or ``Table[Mug, int]`` for other keys than str). Works like a
    dictionary whose values may be changed in place until the callback ends. Owned by its room.
    """

    def __init__(self, spec: TableSpec, rows: dict[Key, bytes] | None = None) -> None:
        super().__init__(spec.name, rows)
        self.spec = spec
        self._live: dict[Key, Row] = {}
        self._handed_on = False
        self._touched: dict[Key, None] = {}
        self._fresh: dict[Key, None] = {}
        self._deleted: set[Key] = set()

    # -- for game code ---------------------------------------------------------------------------

    def __getitem__(self, key: K) -> R:
        row = self._live.get(key)
        if row is None:
            row = self._load(key)
        self._touched[key] = None
        return cast(R, row)

    def __setitem__(self, key: K, row: R) -> None:
        if type(row) is not self.spec.row:
            raise RowError(f"table {self.name} holds {self.spec.row.__name__} rows, not {type(row).__name__}")
        _check_key(self.name, key)
        self._live[key] = row
        self._touched[key] = None
        self._deleted.discard(key)
        if key not in self._rows:
            self._fresh[key] = None

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._live.pop(key, None)
        if key in self._fresh:
            del self._fresh[key], self._touched[key]
        else:
            self._touched[key] = None
            self._deleted.add(key)

    def __contains__(self, key: object) -> bool:
        return (key in self._rows and key not in self._deleted) or key in self._fresh

    def __len__(self) -> int:
        return len(self._rows) - len(self._deleted) + len(self._fresh)

    def __iter__(self) -> Iterator[K]:
        return iter(self.keys())

    def keys(self) -> list[K]:
        """The keys in order, as of now: rows may be added and deleted while going through them."""
        if not self._deleted and not self._fresh:
            return cast("list[K]", list(self._rows))
        return cast("list[K]", [k for k in self._rows if k not in self._deleted] + list(self._fresh))

    def values(self) -> Iterator[R]:
        """Every row, touched: for loops that change most of them. To look only, use `scan`."""
        return (self[key] for key in self.keys() if key in self)

    def items(self) -> Iterator[tuple[K, R]]:
        """Every key and row, touched. To look only, use `scan`. What is deleted meanwhile is passed over."""
        return ((key, self[key]) for key in self.keys() if key in self)

    @overload
    def get(self, key: K) -> R | None: ...
    @overload
    def get(self, key: K, default: D) -> R | D: ...
    def get(self, key: K, default: D | None = None) -> R | D | None:
        """The row, touched, or `default`."""
        return self[key] if key in self else default  # noqa: SIM401  (this is that get)

    @overload
    def pop(self, key: K) -> R: ...
    @overload
    def pop(self, key: K, default: D) -> R | D: ...
    def pop(self, key: K, default: Any = ...) -> Any:
        """Take the row out of the table."""
        if key not in self:
            if default is ...:
                raise KeyError(key)
            return default
        row = self[key]
        del self[key]
        return row

    def setdefault(self, key: K, row: R) -> R:
        """The row that is there, or `row`, put there."""
        if key not in self:
            self[key] = row
        return self[key]

    def clear(self) -> None:
        """Delete every row."""
        for key in self.keys():
            del self[key]

    def peek(self, key: K) -> R | None:
        """The row to look at, not to change: it does not count as touched."""
        row = self._live.get(key)
        if row is None:
            if key not in self:
                return None
            row = self._load(key)
        return cast(R, row)

    def scan(self) -> Iterator[tuple[K, R]]:
        """Every key and row to look at, not to change: costs nothing when the callback is booked."""
        for key in self.keys():
            row = self.peek(key)
            if row is not None:
                yield key, row

    # -- for the room ----------------------------------------------------------------------------

    def take_over(self, other: Cells) -> None:
        """Have the rows of `other`; live objects are kept where their type is the same object."""
        super().take_over(other)
        if isinstance(other, Table) and other.spec.row is self.spec.row and other.spec.prefix == self.spec.prefix:
            self._live = other._live
            other._handed_on = True

    def forget(self, count: int) -> bool:
        """Let go of so many live objects of a table that another has taken over. Returns whether none is left."""
        if self._handed_on:
            return True
        for _ in range(min(count, len(self._live))):
            self._live.popitem()
        return not self._live

    def changes(self) -> list[Change]:
        """What the callback changed, encoded; nothing is booked yet.

        Raises:
            RowError: A row cannot be stored.
        """
        if not self._touched:
            return []
        spec, rows, live = self.spec, self._rows, self._live
        changed: list[Change] = []
        for key in [k for k in self._touched if k not in self._fresh] + list(self._fresh):
            if key in self._deleted:
                changed.append((self.name, key, None))
                continue
            data = spec.write(key, live[key])
            if data != rows.get(key):
                spec.validate(key, data)
                changed.append((self.name, key, data))
        return changed

    def settle(self) -> None:
        """The callback's changes were booked: touched rows are as stored now."""
        self._touched.clear()
        self._fresh.clear()
        self._deleted.clear()

    def undo(self) -> None:
        """Forget what the callback did."""
        for key in self._touched:
            self._live.pop(key, None)
        self.settle()

    def redo(self, key: Key, data: bytes | None) -> None:
        """Book a change from a record."""
        self._live.pop(key, None)
        self.book(key, data)

    def check_untouched(self) -> None:
        """Find rows that were changed without being touched (a debugging aid; costs an encoding of every live row).

        Raises:
            RowError: One was; it is named and forgotten.
        """
        for key, row in list(self._live.items()):
            if self.spec.write(key, row) != self._rows.get(key) and self._rows[key][:2] == self.spec.prefix:
                del self._live[key]
                raise RowError(
                    f"table {self.name}, row {key!r} was changed behind the table's back (through peek, scan, or a "
                    f"reference kept from an earlier callback). The change is dropped. Get the row from the table."
                )

    def _load(self, key: Key) -> Row:
        if key in self._deleted:
            raise KeyError(key)
        row = self.spec.read(self._rows[key])
        self._live[key] = row
        return row


def _check_key(table: str, key: object) -> None:
    parts = key if isinstance(key, tuple) else (key,)
    if not all(type(part) in (str, int) for part in parts):
        raise RowError(f"table {table}: {key!r} cannot be a key; use str, int or a tuple of these")
