"""A step of a pipeline with `compute: spark`, as the application of a Spark job.

`run_step.py FOLDER`: FOLDER has this step's work as `work.json`, with the modules beside it that do it. The session has
in `spark.pipeline.context` where the output goes. What the user has to mend (SQL, values, files) is no failure of the
job but its answer, in `fault.json`: another attempt would find the same.
"""

import json
import os
import sys
from urllib.parse import unquote, urlparse

sys.path.insert(0, sys.argv[1])

from py4j.protocol import Py4JJavaError  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402

import answer_checks  # noqa: E402
import extract_files  # noqa: E402
import select_rows  # noqa: E402
import write_data_files  # noqa: E402
from compute_session import open_session  # noqa: E402
from fault import Fault, message_for_user  # noqa: E402

PROGRAMS = {
    "extract_files": extract_files.run,
    "select_rows": select_rows.run,
    "answer_checks": answer_checks.run,
    "write_data_files": write_data_files.run,
}


def main(folder):
    with open(os.path.join(folder, "work.json"), encoding="utf-8") as file:
        work = json.load(file)
    spark = open_session()
    output = unquote(urlparse(json.loads(spark.conf.get("spark.pipeline.context"))["output"]).path)
    try:
        PROGRAMS[work["program"]](spark, work, output)
    except Fault as fault:
        answer(output, {"type": fault.type, "message": str(fault)})
    except (PySparkException, Py4JJavaError) as error:
        message = message_for_user(error)
        if message is None:
            raise
        answer(output, {"type": "ValidationError", "message": message})
    finally:
        spark.stop()


def answer(output, fault):
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(output, "fault.json"), "w", encoding="utf-8") as file:
        json.dump(fault, file)


if __name__ == "__main__":
    main(sys.argv[1])
