"""
Doubles the numbers that it is handed, after `conf.seconds`, or once there is the file `conf.until`; a line in `conf.journal`
says that it worked. Where `conf.broken` names a file that is there, it fails.
"""

import os
import time
from datetime import timedelta
from urllib.parse import unquote, urlparse

import pyarrow.compute as pc
import pyarrow.parquet as pq
from airflow.sdk import dag, get_current_context, task
from pyarrow import fs


def place(uri):
    """Where a URI leads: a file system, and the path in it. Airflow's workers have keys of their own for S3."""
    if uri.startswith("s3://"):
        s3 = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], region="us-east-1")
        return s3, uri.removeprefix("s3://")
    return fs.LocalFileSystem(), unquote(urlparse(uri).path)


@dag(schedule=None, is_paused_upon_creation=False, max_active_runs=8)
def double_numbers():
    @task
    def double() -> dict:
        conf = get_current_context()["dag_run"].conf
        pipeline = conf["pipeline"]
        with open(conf["journal"], "a") as journal:
            journal.write(f"{get_current_context()['run_id']}\n")
        time.sleep(conf.get("seconds", 0))
        while "until" in conf and not os.path.exists(conf["until"]):
            time.sleep(0.2)
        if "broken" in conf and os.path.exists(conf["broken"]):
            raise ValueError("broken")
        files, folder = place(pipeline["inputs"]["numbers"])
        table = pq.read_table(folder, filesystem=files)
        table = table.set_column(0, "n", pc.multiply(table["n"], 2))
        files, folder = place(pipeline["output"])
        pq.write_table(table, f"{folder}part-0.parquet", filesystem=files)
        return {"output": pipeline["output"], "rows": table.num_rows}

    @task(execution_timeout=timedelta(seconds=30))
    def say_where(result: dict) -> str:
        return result["output"]

    @task
    def say_nothing() -> None:
        print("nothing to return")

    say_where(double()) >> say_nothing()


double_numbers()
