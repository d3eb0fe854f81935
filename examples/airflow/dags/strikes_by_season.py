"""Counts bird strikes by season; a step of examples/airflow/strikes-by-season.yaml hands them over and takes the counts."""

from pathlib import Path
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from airflow.sdk import dag, get_current_context, task

SEASONS = pa.array(["winter", "spring", "summer", "autumn"])


def folder(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path))


@dag(schedule=None, is_paused_upon_creation=False)
def strikes_by_season():
    @task
    def count() -> dict:
        conf = get_current_context()["dag_run"].conf
        pipeline = conf["pipeline"]
        strikes = pq.read_table(folder(pipeline["inputs"]["strikes"]))
        strikes = strikes.filter(pc.greater_equal(strikes["Cost Total $"], conf["least_cost"]))
        quarters = pa.array(month % 12 // 3 for month in pc.month(strikes["Flight Date"]).to_pylist())
        counted = pa.table({"season": SEASONS.take(quarters), "cost": strikes["Cost Total $"]})
        counted = counted.group_by("season").aggregate([("cost", "count"), ("cost", "sum")])
        counted = counted.rename_columns(["season", "strikes", "cost"])
        # The same name whenever Airflow tries the task again, so that nothing is there twice.
        pq.write_table(counted, folder(pipeline["output"]) / "part-0.parquet")
        return {"output": pipeline["output"], "rows": counted.num_rows}

    count()


strikes_by_season()
