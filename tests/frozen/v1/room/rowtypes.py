"""Which types a row's fields may have, and how a schema names them.

Refused are types whose encoding is not the same everywhere (a set's order differs between processes),
that cannot be read back without guessing (Any), or that are no plain data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect as mi

from tests.frozen.v1.errors import RowError

_PLAIN: Mapping[type, str] = {
    mi.NoneType: "None",
    mi.BoolType: "bool",
    mi.IntType: "int",
    mi.FloatType: "float",
    mi.StrType: "str",
    mi.BytesType: "bytes",
}


def field_texts(row: type[msgspec.Struct], table: str) -> dict[str, str]:
    """Field name -> its type as text, for every field of `row`.

    Raises:
        RowError: A field's type cannot be stored; `table` and the field are named.
    """
    texts: dict[str, str] = {}
    try:
        fields = msgspec.structs.fields(row)
    except NameError as error:
        raise RowError(f"table {table}: {row.__name__}: {error}. Import the type where the row is declared.") from error
    for field in fields:
        try:
            texts[field.encode_name] = type_text(mi.type_info(field.type))
        except _Unstorable as error:
            raise RowError(f"table {table}: field {row.__name__}.{field.name} {error}") from error
        except (TypeError, NameError) as error:
            raise RowError(f"table {table}: field {row.__name__}.{field.name}: {error}") from error
    return texts


class _Unstorable(Exception):
    pass


def type_text(info: Any, outer: tuple[str, ...] = ()) -> str:
    """A type as text: equal texts, equal encodings. `outer` names the structs around it, for recursive types."""
    if type(info) in _PLAIN:
        return _PLAIN[type(info)]
    match info:
        case mi.ListType(item_type=item):
            return f"list[{type_text(item, outer)}]"
        case mi.VarTupleType(item_type=item):
            return f"tuple[{type_text(item, outer)}, ...]"
        case mi.TupleType(item_types=items):
            return f"tuple[{', '.join(type_text(item, outer) for item in items)}]"
        case mi.DictType(key_type=key, value_type=value):
            return _dict_text(key, value, outer)
        case mi.UnionType(types=types):
            return " | ".join(sorted(type_text(t, outer) for t in types))
        case mi.LiteralType(values=values):
            return f"Literal{sorted(values, key=repr)!r}"
        case mi.EnumType(cls=cls):
            return f"{cls.__name__}{sorted(repr(member.value) for member in cls)!r}"
        case mi.StructType(cls=cls, fields=fields):
            return cls.__name__ + _fields_text(cls.__name__, fields, outer)
        case mi.DataclassType(cls=cls, fields=fields) | mi.TypedDictType(cls=cls, fields=fields):
            return cls.__name__ + _fields_text(cls.__name__, fields, outer)
        case mi.SetType() | mi.FrozenSetType():
            raise _Unstorable("is a set, whose order differs between processes. Use a list, or a dict of True.")
        case mi.AnyType():
            raise _Unstorable("has no definite type, so it could not be read back. Give it one.")
    raise _Unstorable(f"has a type that cannot be stored ({type(info).__name__}). Use plain data, or a key of a row.")


def _dict_text(key: Any, value: Any, outer: tuple[str, ...]) -> str:
    if not isinstance(key, mi.StrType | mi.IntType | mi.EnumType | mi.LiteralType):
        raise _Unstorable("is a dict with keys other than str or int. Use those.")
    return f"dict[{type_text(key, outer)}, {type_text(value, outer)}]"


def _fields_text(name: str, fields: Any, outer: tuple[str, ...]) -> str:
    if name in outer:
        return ""
    inner = (*outer, name)
    return "{" + ", ".join(f"{f.encode_name}: {type_text(f.type, inner)}" for f in fields) + "}"
