"""The files of a source as Parquet. Their text is typed by what all of it is, so nothing depends on which rows come first."""

import gzip
from functools import reduce

from pyspark.sql import functions as F
from pyspark.sql.types import DateType, StringType, StructField, StructType, TimestampNTZType, TimestampType

from compute_session import read_parquet
from fault import Fault

WHOLE = r"^\s*[+-]?\d+\s*$"
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
DATE = r"^\d{4}-\d{1,2}-\d{1,2}$"
TIMESTAMP = r"^\d{4}-\d{1,2}-\d{1,2}[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?$"
TEMPORAL = {
    "date": lambda c: c.rlike(DATE) & c.try_cast("date").isNotNull(),
    "timestamp_ntz": lambda c: (c.rlike(DATE) | c.rlike(TIMESTAMP)) & c.try_cast("timestamp_ntz").isNotNull(),
}
# The first of them that every value is.
TYPES = {
    "boolean": lambda c: F.lower(c).isin("true", "false"),
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
    options = {"__globPaths__": "false", "multiLine": "true", "mode": "FAILFAST", **work["options"]}
    files = [csv_file(spark, path, options) for path in work["paths"]]
    return typed(together(files), TYPES)


def csv_file(spark, path, options):
    reader = spark.read.options(**options)
    names = reader.csv(path).columns
    if options["header"] == "false":
        names = [f"column{str(at).zfill(len(str(len(names) - 1)))}" for at in range(len(names))]
    schema = StructType([StructField(name, StringType()) for name in names])
    rows = spark.read.options(**options).schema(schema).csv(path)
    empty = work_nulls(options)
    return rows.select([F.when(~F.col(quoted(name)).isin(*empty), F.col(quoted(name))).alias(name) for name in names])


def work_nulls(options):
    """An empty field is no value, also in quotes."""
    return ["", options["nullValue"]] if "nullValue" in options else [""]


def json(spark, work):
    files = []
    for path in work["paths"]:
        reader = spark.read.options(__globPaths__="false", mode="FAILFAST", multiLine=str(is_array(path)).lower())
        files.append(reader.json(path))
    rows = typed(together(files), TEMPORAL)
    # Spark sorts the columns; the service has looked which comes first.
    known = [name for name in work["columns"] if name in rows.columns]
    return rows.select([F.col(quoted(name)) for name in known + [n for n in rows.columns if n not in known]])


def is_array(path):
    with gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb") as file:
        return file.read(65_536).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


READERS = {"parquet": parquet, "csv": csv, "json": json}


def together(files):
    """Columns of several files are matched by name."""
    return reduce(lambda rows, more: rows.unionByName(more, allowMissingColumns=True), files)


def typed(rows, types):
    """The columns of text, each cast to the first type that all its values are."""
    texts = [field.name for field in rows.schema.fields if isinstance(field.dataType, StringType)]
    if not texts:
        return rows
    counts = [F.count(F.col(quoted(name))).alias(f"n{at}") for at, name in enumerate(texts)]
    for at, name in enumerate(texts):
        for number, fits in enumerate(types.values()):
            counts.append(F.count_if(fits(F.col(quoted(name)))).alias(f"c{at}_{number}"))
    found = rows.agg(*counts).first()
    chosen = {}
    for at, name in enumerate(texts):
        of_all = [type for number, type in enumerate(types) if found[f"c{at}_{number}"] == found[f"n{at}"]]
        if found[f"n{at}"] > 0 and of_all:
            chosen[name] = of_all[0]
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
