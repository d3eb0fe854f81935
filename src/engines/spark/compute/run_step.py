"""A step of a pipeline with `compute: spark`, as the application of a Spark job.

`run_step.py FOLDER`: FOLDER, a path or a URI of Hadoop's (s3a://…), has this step's work as `work.json`, with the modules
beside it that do it. The session has in `spark.pipeline.context` where the output goes. What the user has to mend (SQL, values, files) is no failure of the
job but its answer, in `fault.json`: another attempt would find the same.
"""

import json
import os
import sys
import tempfile


def fetched(uri):
    """A copy of the folder, made by the driver's Java: it has the credentials for where that lies."""
    from pyspark import SparkContext

    SparkContext._ensure_initialized()
    jvm = SparkContext._jvm
    hadoop = jvm.org.apache.spark.deploy.SparkHadoopUtil.get()
    source = jvm.org.apache.hadoop.fs.Path(uri)
    files = source.getFileSystem(hadoop.newConfiguration(jvm.org.apache.spark.SparkConf()))
    here = tempfile.mkdtemp(dir=os.getcwd())
    for status in files.listStatus(source):
        path = status.getPath()
        if status.isFile():
            target = jvm.org.apache.hadoop.fs.Path(f"file://{here}/{path.getName()}")
            files.copyToLocalFile(False, path, target, True)
    return here


FOLDER = fetched(sys.argv[1]) if "://" in sys.argv[1] else sys.argv[1]
sys.path.insert(0, FOLDER)

from py4j.protocol import Py4JJavaError  # noqa: E402
from pyspark.errors import PySparkException  # noqa: E402

import answer_checks  # noqa: E402
import extract_files  # noqa: E402
import select_rows  # noqa: E402
import write_data_files  # noqa: E402
from compute_session import open_session  # noqa: E402
from fault import Fault, message_for_user  # noqa: E402
from text_file import write_text  # noqa: E402

PROGRAMS = {
    "extract_files": extract_files.run,
    "select_rows": select_rows.run,
    "answer_checks": answer_checks.run,
    "write_data_files": write_data_files.run,
}


def main():
    with open(os.path.join(FOLDER, "work.json"), encoding="utf-8") as file:
        work = json.load(file)
    spark = open_session()
    output = json.loads(spark.conf.get("spark.pipeline.context"))["output"].removeprefix("file://").rstrip("/")
    try:
        PROGRAMS[work["program"]](spark, work, output)
    except Fault as fault:
        answer(spark, output, {"type": fault.type, "message": str(fault)})
    except (PySparkException, Py4JJavaError) as error:
        message = message_for_user(error)
        if message is None:
            raise
        answer(spark, output, {"type": "ValidationError", "message": message})
    finally:
        spark.stop()


def answer(spark, output, fault):
    write_text(spark, f"{output}/fault.json", json.dumps(fault))


if __name__ == "__main__":
    main()
