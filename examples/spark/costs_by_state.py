"""What bird strikes cost, by state: a Spark application as a step of examples/spark/costs-by-state.yaml."""

import json

from pyspark.sql import SparkSession, functions as F

spark = SparkSession.builder.getOrCreate()
# What the step works on: {executionId, step, inputs: {name: uri}, output: uri, intervalStart, intervalEnd}.
pipeline = json.loads(spark.conf.get("spark.pipeline.context"))

cost = F.col("`Cost Total $`")
by_state = (
    spark.read.parquet(pipeline["inputs"]["strikes"])
    .groupBy(F.col("`Origin State`").alias("state"))
    .agg(
        F.count("*").alias("strikes"),
        F.sum(cost).cast("bigint").alias("cost"),
        F.percentile_approx(cost, 0.99).cast("bigint").alias("cost_of_the_worst_percent"),
    )
)
by_state.coalesce(1).write.parquet(pipeline["output"])
spark.stop()
