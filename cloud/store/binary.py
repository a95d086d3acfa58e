"""Builds PostgreSQL's binary COPY format and binary arrays from bytes; knows nothing of our tables.

Source: PostgreSQL documentation, COPY, "Binary Format".
"""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from psycopg import AsyncConnection
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_TRAILER = struct.pack(">h", -1)
NULL = struct.pack(">i", -1)
_INT8_OID = 20
_INT8_ARRAY_OID = 1016

_int8 = struct.Struct(">iq").pack
_int4 = struct.Struct(">ii").pack
_int2 = struct.Struct(">ih").pack
_length = struct.Struct(">i").pack


def int8(value: int | None) -> bytes:
    """Return one bigint (or timestamptz in microseconds) field."""
    return NULL if value is None else _int8(8, value)


def int4(value: int | None) -> bytes:
    """Return one integer field."""
    return NULL if value is None else _int4(4, value)


def int2(value: int | None) -> bytes:
    """Return one smallint field."""
    return NULL if value is None else _int2(2, value)


def raw(value: bytes | None) -> bytes:
    """Return one bytea field."""
    return NULL if value is None else _length(len(value)) + value


def text(value: str | None) -> bytes:
    """Return one text field."""
    return NULL if value is None else raw(value.encode())


def row(*fields: bytes) -> bytes:
    """Return one row of COPY from its fields."""
    return struct.pack(">h", len(fields)) + b"".join(fields)


class Int8Array(bytes):
    """An `int8[]` parameter in binary form."""


def int8_array(values: npt.NDArray[np.int64] | Sequence[int]) -> Int8Array:
    """Return an `int8[]` parameter without a Python object per element."""
    elements = np.empty(len(values), dtype=np.dtype([("length", ">i4"), ("value", ">i8")]))
    elements["length"] = 8
    elements["value"] = values
    header = struct.pack(">iiIii", 1, 0, _INT8_OID, len(values), 1)
    return Int8Array(header + elements.tobytes())


class _Int8ArrayDumper(Dumper):
    format = Format.BINARY
    oid = _INT8_ARRAY_OID

    def dump(self, obj: Int8Array) -> Buffer:
        return bytes(obj)


def register(connection: AsyncConnection[tuple[object, ...]]) -> None:
    """Teach a connection to send `Int8Array`."""
    connection.adapters.register_dumper(Int8Array, _Int8ArrayDumper)
