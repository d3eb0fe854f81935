"""Iceberg's `rewrite_data_files`, as the application of a Spark job: `rewrite_table.py REQUEST`, which is JSON.

One commit, with the maintenance's id in its summary; a job that finds it there does nothing. Files with deletes are
rewritten whatever their size, and delete files that delete nothing any more are removed. What it did is told in
`outcome.json`, in the folder that `spark.pipeline.context` names.
"""

import json
import sys

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

SUMMARY_KEY = "pipeline.maintenance-id"
NOT_THERE = ("NoSuchTableException", "NoSuchNamespaceException", "NoSuchDatabaseException", "ParseException")


def main(request):
    spark = SparkSession.builder.getOrCreate()
    try:
        try:
            answer = rewritten(spark, request)
        except Fault as fault:
            answer = {"fault": {"type": fault.type, "message": str(fault)}}
        tell(spark, json.dumps(answer))
    finally:
        spark.stop()


def tell(spark, outcome):
    """In staging, on whatever file system that is."""
    output = json.loads(spark.conf.get("spark.pipeline.context"))["output"]
    place = spark._jvm.org.apache.hadoop.fs.Path(f"{output}outcome.json")
    files = place.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())
    stream = files.create(place, True)
    try:
        stream.write(bytearray(outcome, "utf-8"))
    finally:
        stream.close()


class Fault(Exception):
    def __init__(self, type, message):
        super().__init__(message)
        self.type = type


def rewritten(spark, request):
    table = load(spark, request["table"])
    before = found(table, request["maintenanceId"])
    actions = spark._jvm.org.apache.iceberg.spark.actions.SparkActions.get(spark._jsparkSession)
    if before is not None:
        # The driver may have been killed before it came to them.
        actions.removeDanglingDeleteFiles(table).execute()
        return before
    (
        actions.rewriteDataFiles(table)
        .option("target-file-size-bytes", str(request["targetFileSizeBytes"]))
        .option("min-input-files", str(request["minInputFiles"]))
        .option("delete-file-threshold", "1")
        .option("remove-dangling-deletes", "true")
        .snapshotProperty(SUMMARY_KEY, request["maintenanceId"])
        .execute()
    )
    table.refresh()
    nothing = {"rewrittenFiles": 0, "rewrittenBytes": 0, "addedFiles": 0, "addedBytes": 0, "snapshotId": None}
    return found(table, request["maintenanceId"]) or nothing


def load(spark, name):
    try:
        return spark._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, name)
    except Py4JJavaError as error:
        if error.java_exception.getClass().getSimpleName() in NOT_THERE:
            raise Fault("ValidationError", f"there is no table {name.split('.', 1)[1]}") from error
        raise


def found(table, maintenance_id):
    """What the commit of that name did: the one that rewrote, when another one removed delete files after it."""
    named = []
    iterator = table.snapshots().iterator()
    while iterator.hasNext():
        snapshot = iterator.next()
        if snapshot.summary().get(SUMMARY_KEY) == maintenance_id:
            named.append(snapshot)
    if not named:
        return None
    summaries = [snapshot.summary() for snapshot in named]

    def total(key):
        return sum(int(summary.get(key) or 0) for summary in summaries)

    return {
        "rewrittenFiles": total("deleted-data-files"),
        "rewrittenBytes": total("removed-files-size"),
        "addedFiles": total("added-data-files"),
        "addedBytes": total("added-files-size"),
        "snapshotId": str(named[0].snapshotId()),
    }


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
