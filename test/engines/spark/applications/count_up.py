"""A source: numbers up to a limit, of the day on which its interval starts. `count_up.py JOURNAL LIMIT`, as in double_numbers.py."""

import json
import os
import sys

from pyspark.sql import SparkSession

journal, limit = sys.argv[1:]


def note(word):
    with open(journal, "ab", buffering=0) as file:
        file.write(f"{word} {os.getpid()}\n".encode())


note("begin")
spark = SparkSession.builder.getOrCreate()
context = json.loads(spark.conf.get("spark.pipeline.context"))
assert context["inputs"] == {}, context
numbers = spark.range(1, int(limit) + 1).selectExpr("id AS n", f"DATE '{context['intervalStart'][:10]}' AS day")
numbers.coalesce(1).write.parquet(context["output"])
spark.stop()
note("end")
