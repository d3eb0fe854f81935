"""Runs the project's programs for Spark in one local session: a line of JSON with the work in, one with what came of it out."""

import json
import os
import sys

sys.path.insert(0, sys.argv[1])

from py4j.protocol import Py4JJavaError  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

import extract_files  # noqa: E402
from compute_session import open_session  # noqa: E402
from fault import Fault, message_for_user  # noqa: E402

local = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
local.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate()
spark = open_session()
answers = os.fdopen(os.dup(1), "w")
# Whatever else is printed is no answer.
os.dup2(2, 1)
for line in sys.stdin:
    asked = json.loads(line)
    try:
        extract_files.run(spark, asked["work"], asked["output"])
        answer = {}
    except Fault as fault:
        answer = {"fault": str(fault)}
    except (PySparkException, Py4JJavaError) as error:
        answer = {"fault": message_for_user(error), "crash": str(error)[:2_000]}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
