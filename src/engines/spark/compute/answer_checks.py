"""What the quality checks ask: one row for each query, and of those that found failing rows some examples."""

import json

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegralType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from compute_session import open_inputs
from fault import Fault, message_for_user
from text_file import write_text

# What DuckDB writes as it is, in bytes told as text.
PLAIN = {chr(code) for code in range(32, 127)} - set("\\'\"")
BYTES_SHOWN = 1_000


def run(spark, work, output):
    open_inputs(spark, work["inputs"])
    answers = {}
    for query in work["queries"]:
        (answers[query["id"]],) = ask(spark, work, query) or [{}]
    examples = {}
    for query in work["examples"]:
        answer = answers[query["after"]]
        if answer.get(query["counted"], 0) > 0:
            examples[query["id"]] = ask(spark, work, query)
    text = json.dumps({"answers": answers, "examples": examples}, allow_nan=False)
    write_text(spark, f"{output}/answers.json", text)


def ask(spark, work, query):
    try:
        rows = spark.sql(query["sql"], args=work["parameters"])
        return [{name: plain(row[at]) for at, name in enumerate(rows.columns)} for row in told(rows).collect()]
    except (PySparkException, Py4JJavaError) as error:
        message = message_for_user(error)
        if message is None:
            raise
        raise Fault("ValidationError", f"{query['path']}: {message}") from error


def told(rows):
    """What JSON does not know comes as the text that DuckDB makes of it."""
    return rows.select([text_of(F.col(quoted(f.name)), f.dataType).alias(f.name) for f in rows.schema.fields])


def text_of(column, type):
    if isinstance(type, (BooleanType, IntegralType, FloatType, DoubleType, StringType, BinaryType)):
        return column
    if isinstance(type, (DateType, DecimalType, TimestampNTZType)):
        return column.cast("string")
    if isinstance(type, TimestampType):
        return F.concat(column.cast("string"), F.lit("+00"))
    return F.to_json(column, {"ignoreNullFields": "false"})


def plain(value):
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return "".join(chr(byte) if chr(byte) in PLAIN else f"\\x{byte:02X}" for byte in value[:BYTES_SHOWN])
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def quoted(name):
    return "`" + name.replace("`", "``") + "`"
