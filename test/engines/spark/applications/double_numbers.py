"""Doubles the numbers that it is handed, on the cluster. `double_numbers.py JOURNAL SECONDS`: a line when it begins, one at its end.

Instead of SECONDS a path: it waits until there is that file.
"""

import json
import os
import sys
import time

from pyspark.sql import SparkSession

journal, seconds = sys.argv[1:]


def note(word):
    # In one write, so that nobody's line is lost.
    with open(journal, "ab", buffering=0) as file:
        file.write(f"{word} {os.getpid()}\n".encode())


note("begin")
spark = SparkSession.builder.getOrCreate()
context = json.loads(spark.conf.get("spark.pipeline.context"))
if seconds.startswith("/"):
    while not os.path.exists(seconds):
        time.sleep(0.2)
else:
    time.sleep(float(seconds))
numbers = spark.read.parquet(context["inputs"]["numbers"])
numbers.selectExpr("n * 2 AS n").coalesce(1).write.parquet(context["output"])
print("master", spark.sparkContext.master)
spark.stop()
note("end")
