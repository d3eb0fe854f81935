"""One SELECT over the inputs, its rows as Parquet."""

from pyspark.sql import functions as F
from pyspark.sql.types import NullType

from compute_session import open_inputs


def run(spark, work, output):
    open_inputs(spark, work["inputs"])
    # Only a query can stand in parentheses.
    rows = spark.sql(f"SELECT * FROM {work['query']}", args=work["parameters"])
    for field in rows.schema.fields:
        if isinstance(field.dataType, NullType):
            quoted = "`" + field.name.replace("`", "``") + "`"
            rows = rows.withColumn(field.name, F.col(quoted).cast("string"))
    rows.write.option("compression", "zstd").parquet(output)
