"""The files of a source as Parquet. Their text is typed by what all of it is, so nothing depends on which rows come first."""

import codecs
import gzip
from functools import reduce

from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DateType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from compute_session import read_parquet
from fault import Fault

# A zero or a plus in front makes it a code, such as a postal one, and no number.
WHOLE = r"^\s*-?(0|[1-9]\d*)\s*$"
NUMBER = r"(?i)^\s*(nan|-?(inf(inity)?|((0|[1-9]\d*)(\.\d*)?|\.\d+)(e[+-]?\d+)?))\s*$"
DATE = r"^\d{4}-\d{1,2}-\d{1,2}$"
TIMESTAMP = r"^\d{4}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?$"
# What a decoder makes of bytes that are no text.
REPLACED = "\ufffd"
TEMPORAL = {
    "date": lambda c: c.rlike(DATE) & c.try_cast("date").isNotNull(),
    "timestamp_ntz": lambda c: (c.rlike(DATE) | c.rlike(TIMESTAMP)) & c.try_cast("timestamp_ntz").isNotNull(),
}
# The first of them that every value is.
TYPES = {
    "boolean": lambda c: F.lower(c).isin("true", "false", "t", "f", "yes", "no"),
    **TEMPORAL,
    "bigint": lambda c: c.rlike(WHOLE) & c.try_cast("bigint").isNotNull(),
    "decimal(38,0)": lambda c: c.rlike(WHOLE) & c.try_cast("decimal(38,0)").isNotNull(),
    "double": lambda c: c.rlike(NUMBER),
}


def run(spark, work, output):
    rows = READERS[work["format"]](spark, work)
    if work.get("interval") is not None:
        rows = within(rows, work["interval"])
    rows.write.option("compression", "zstd").parquet(output)


def parquet(spark, work):
    return spark.read.options(__globPaths__="false", mergeSchema="true").parquet(*work["paths"])


def csv(spark, work):
    # A line end may stand in quotes, so a file is one task.
    options = {
        "__globPaths__": "false",
        "multiLine": "true",
        "mode": "FAILFAST",
        "unescapedQuoteHandling": "RAISE_ERROR",
        **work["options"],
    }
    files = [csv_file(spark, path, options) for path in work["paths"]]
    quote = options.get("quote", '"')
    return typed(together(files), TYPES, work["paths"], lambda: refuse_unclosed(work["paths"], files, quote))


def csv_file(spark, path, options):
    head = spark.read.options(**{**options, "header": "false"}).csv(path).first()
    names = names_of(head, options["header"] == "true")
    schema = StructType([StructField(name, StringType()) for name in names])
    rows = spark.read.options(**options).schema(schema).csv(path)
    empty = work_nulls(options)
    return rows.select([F.when(~F.col(quoted(name)).isin(*empty), F.col(quoted(name))).alias(name) for name in names])


def refuse_unclosed(paths, files, quote):
    """A quote that is never closed would make one value of all that follows, in the last field of the last row."""
    for path, file in zip(paths, files):
        last = file.tail(1)
        if quote and last and "\n" in (last[0][-1] or "") and not ends_with(path, quote.encode()):
            raise Fault("ValidationError", f"{path}: the quote of the last row is never closed")


def ends_with(path, text):
    tail = b""
    with opened(path) as file:
        for chunk in iter(lambda: file.read(1_048_576), b""):
            tail = (tail + chunk)[-64:]
    return tail.rstrip(b" \r\n").endswith(text)


def names_of(head, is_header):
    """As DuckDB calls the columns: without spaces around, numbered where there is no name, told apart where two have one."""
    taken, names = {}, []
    for at in range(len(head)):
        name = (head[at] or "").strip(" ") if is_header else ""
        name = name or f"column{str(at).zfill(len(str(len(head) - 1)))}"
        while name.lower() in taken:
            taken[name.lower()] += 1
            name = f"{name}_{taken[name.lower()]}"
        taken[name.lower()] = 0
        names.append(name)
    return names


def work_nulls(options):
    """An empty field is no value, also in quotes."""
    return ["", options["nullValue"]] if "nullValue" in options else [""]


def json(spark, work):
    files = []
    # Else Spark takes two names that differ in case for one, and loses the values of the other.
    spark.conf.set("spark.sql.caseSensitive", "true")
    for path in work["paths"]:
        reader = spark.read.options(__globPaths__="false", mode="FAILFAST", multiLine=str(is_array(path)).lower())
        files.append(reader.json(path))
        refuse_twins(files[-1].schema, path)
    spark.conf.set("spark.sql.caseSensitive", "false")
    rows = typed(together(files), TEMPORAL, work["paths"])
    # Spark sorts the columns; the service has looked which comes first.
    known = [name for name in work["columns"] if name in rows.columns]
    return rows.select([F.col(quoted(name)) for name in known + [n for n in rows.columns if n not in known]])


def refuse_twins(type, path):
    if isinstance(type, ArrayType):
        refuse_twins(type.elementType, path)
    elif isinstance(type, StructType):
        names = {}
        for field in type.fields:
            other = names.setdefault(field.name.lower(), field.name)
            if other != field.name:
                raise Fault("ValidationError", f"{path}: the names {other} and {field.name} differ in case only")
            refuse_twins(field.dataType, path)


def is_array(path):
    with opened(path) as file:
        return file.read(65_536).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def opened(path):
    return gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")


def refuse_other_encodings(path):
    decoder = codecs.getincrementaldecoder("utf-8")()
    with opened(path) as file:
        try:
            for chunk in iter(lambda: file.read(1_048_576), b""):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise Fault("ValidationError", f"{path}: the text is not UTF-8") from None


READERS = {"parquet": parquet, "csv": csv, "json": json}


def together(files):
    """Columns of several files are matched by name."""
    return reduce(lambda rows, more: rows.unionByName(more, allowMissingColumns=True), files)


def typed(rows, types, paths, look_at_ends=lambda: None):
    """The columns of text, each cast to the first type that all its values are."""
    texts = [field.name for field in rows.schema.fields if isinstance(field.dataType, StringType)]
    if not texts:
        return rows
    counts = [F.count(F.col(quoted(name))).alias(f"n{at}") for at, name in enumerate(texts)]
    for at, name in enumerate(texts):
        for number, fits in enumerate(types.values()):
            counts.append(F.count_if(fits(F.col(quoted(name)))).alias(f"c{at}_{number}"))
        counts.append(F.count_if(F.col(quoted(name)).rlike(WHOLE)).alias(f"whole{at}"))
        counts.append(F.count_if(F.col(quoted(name)).contains(REPLACED)).alias(f"replaced{at}"))
        counts.append(F.count_if(F.col(quoted(name)).contains("\n")).alias(f"lines{at}"))
    found = rows.agg(*counts).first()
    if any(REPLACED in name for name in rows.columns) or any(found[f"replaced{at}"] > 0 for at in range(len(texts))):
        for path in paths:
            refuse_other_encodings(path)
    if any(found[f"lines{at}"] > 0 for at in range(len(texts))):
        look_at_ends()
    chosen = {}
    for at, name in enumerate(texts):
        of_all = [type for number, type in enumerate(types) if found[f"c{at}_{number}"] == found[f"n{at}"]]
        if found[f"n{at}"] > 0 and of_all:
            chosen[name] = of_all[0]
            if of_all[0] == "double" and found[f"whole{at}"] == found[f"n{at}"]:
                told = f"column {name} holds whole numbers of more than 38 digits, which no exact type has"
                raise Fault("ValidationError", told)
    return rows.select(
        [
            F.trim(F.col(quoted(name))).cast(chosen[name]).alias(name) if name in chosen else F.col(quoted(name))
            for name in rows.columns
        ]
    )


def within(rows, interval):
    """The rows of the interval, when there is its column; a time without a zone is one of the pipeline's own zone."""
    field = next((f for f in rows.schema.fields if f.name.lower() == interval["column"].lower()), None)
    if field is None:
        return rows
    if isinstance(field.dataType, TimestampType):
        type, value = "timestamp_ltz", lambda iso: F.lit(iso).cast("timestamp_ltz")
    elif isinstance(field.dataType, (DateType, StringType, TimestampNTZType)):
        type, value = "timestamp_ntz", lambda iso: F.lit(iso[:19]).cast("timestamp_ntz")
    else:
        raise Fault(
            "ValidationError",
            f"partitioning.column: {field.name} is {field.dataType.simpleString()}, which has no place in an interval; "
            "expected a date or a timestamp",
        )
    column = F.col(quoted(field.name)).cast(type)
    return rows.where((column >= value(interval["start"])) & (column < value(interval["end"])))


def quoted(name):
    return "`" + name.replace("`", "``") + "`"
