"""Rows as values that can be compared exactly, whichever reader they came from.

Floats are compared by their bits (every NaN is one value, -0.0 is not 0.0), timestamps by their microseconds, dates by
their days, binaries and uuids by their bytes. There is no tolerance anywhere: what is stored is what was given.
"""

import struct
import uuid
from collections import Counter

import pyarrow as pa


def rows_of(table: pa.Table, like: pa.Schema) -> list[tuple]:
    """The rows of `table` with the columns of `like`, in its order; a column too many or too few is an error."""
    if sorted(table.column_names) != sorted(like.names):
        raise ValueError(f"columns {table.column_names}, expected {like.names}")
    columns = [_values(table.column(field.name), field.type) for field in like]
    return list(zip(*columns)) if columns else []


def difference(expected: list[tuple], got: list[tuple]) -> str | None:
    """What is in one of two multisets of rows and not in the other; None when they are equal."""
    missing, surplus = Counter(expected), Counter(got)
    if missing == surplus:
        return None
    lost, extra = missing - surplus, surplus - missing
    examples = [f"missing {row}" for row in list(lost)[:3]] + [f"surplus {row}" for row in list(extra)[:3]]
    return f"{lost.total()} rows missing, {extra.total()} too many: " + "; ".join(examples)


def _values(column: pa.ChunkedArray | pa.Array, like: pa.DataType) -> list:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if pa.types.is_struct(kind):
        return _structs(array, like)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(array, like)
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).to_pylist()
    if pa.types.is_date32(kind):
        return array.cast(pa.int32()).to_pylist()
    if pa.types.is_floating(kind):
        return [None if value is None else _bits(value, kind) for value in array.to_pylist()]
    if pa.types.is_decimal(kind):
        return [None if value is None else str(value) for value in array.to_pylist()]
    if _is_bytes(kind):
        return [None if value is None else value.hex() for value in array.to_pylist()]
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return array.to_pylist()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        # Spark has no uuid: its readers show the text.
        if _is_uuid(like):
            return [None if value is None else uuid.UUID(value).hex for value in array.to_pylist()]
        return array.to_pylist()
    raise ValueError(f"no comparison for {kind}")


def _bits(value: float, kind: pa.DataType) -> str:
    if value != value:
        return "nan"
    return struct.pack("<f" if pa.types.is_float32(kind) else "<d", value).hex()


def _structs(array: pa.StructArray, like: pa.DataType) -> list:
    names = [field.name for field in array.type]
    if names != [field.name for field in like]:
        raise ValueError(f"struct of {names}, expected {like}")
    parts = [_values(part, like.field(index).type) for index, part in enumerate(array.flatten())]
    valid = array.is_valid().to_pylist()
    return [tuple(part[at] for part in parts) if valid[at] else None for at in range(len(array))]


def _lists(array: pa.ListArray, like: pa.DataType) -> list:
    values = _values(array.flatten(), like.value_type)
    lists, start = [], 0
    for length in array.value_lengths().to_pylist():
        if length is None:
            lists.append(None)
        else:
            lists.append(tuple(values[start : start + length]))
            start += length
    return lists


def _is_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _is_uuid(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.UuidType)
