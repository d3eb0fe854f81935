"""
Doubles the numbers that it is handed, after `conf.seconds`; a line in `conf.journal` says that it worked. Where
`conf.broken` names a file that is there, it fails.
"""

import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

import pyarrow.compute as pc
import pyarrow.parquet as pq
from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, is_paused_upon_creation=False, max_active_runs=8)
def double_numbers():
    @task
    def double() -> dict:
        conf = get_current_context()["dag_run"].conf
        pipeline = conf["pipeline"]
        with open(conf["journal"], "a") as journal:
            journal.write(f"{get_current_context()['run_id']}\n")
        time.sleep(conf.get("seconds", 0))
        if "broken" in conf and Path(conf["broken"]).exists():
            raise ValueError("broken")
        table = pq.read_table(unquote(urlparse(pipeline["inputs"]["numbers"]).path))
        table = table.set_column(0, "n", pc.multiply(table["n"], 2))
        output = unquote(urlparse(pipeline["output"]).path)
        pq.write_table(table, Path(output) / "part-0.parquet")
        return {"output": pipeline["output"], "rows": table.num_rows}

    @task(execution_timeout=timedelta(seconds=30))
    def say_where(result: dict) -> str:
        return result["output"]

    @task
    def say_nothing() -> None:
        print("nothing to return")

    say_where(double()) >> say_nothing()


double_numbers()
