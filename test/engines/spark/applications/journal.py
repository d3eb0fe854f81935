"""Doubles numbers without the cluster, to be quick: `journal.py JOURNAL SECONDS [FATE]`: a line when it begins, one at its end."""

import json
import os
import sys
import time

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark import SparkContext

journal, seconds, *fate = sys.argv[1:]


def note(word):
    # In one write, so that nobody's line is lost.
    with open(journal, "ab", buffering=0) as file:
        file.write(f"{word} {os.getpid()}\n".encode())


note("begin")
# The properties of the driver, without a session.
SparkContext._ensure_initialized()
properties = SparkContext._jvm.org.apache.spark.SparkConf()
context = json.loads(properties.get("spark.pipeline.context"))
time.sleep(float(seconds))
if fate == ["fail"] or (fate == ["fail-once"] and open(journal).read().count("begin") == 1):
    print("it rains")
    raise ValueError("not today")
if fate != ["leave-nothing"]:
    table = pq.read_table(context["inputs"]["numbers"].removeprefix("file://"))
    folder = context["output"].removeprefix("file://")
    os.makedirs(folder)
    pq.write_table(table.set_column(0, "n", pc.multiply(table["n"], 2)), f"{folder}part-0.parquet")
note("end")
