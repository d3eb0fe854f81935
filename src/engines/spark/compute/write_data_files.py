"""Rows as data files of an Iceberg table: Parquet with the table's field ids, each file of one partition.

Which partition that is, and the statistics, the service reads from the files' footers; the commit is the service's, too.
"""

from pyspark.sql import functions as F

from compute_session import read_parquet

PARTITION = "pipeline_partition"


def run(spark, work, output):
    rows = read_parquet(spark, work["input"])
    columns = [
        F.expr(f"CAST({quoted(column['name'])} AS {column['type']})").alias(
            column["name"], metadata={"parquet.field.id": column["id"]}
        )
        for column in work["columns"]
    ]
    if work["keys"]:
        # Any text that is another one for another partition: folders cannot tell NULL from an empty text.
        keys = [f"coalesce(concat('=', CAST({key_of(key)} AS STRING)), '-')" for key in work["keys"]]
        key = F.expr(f"sha2(concat_ws(',', {', '.join(f'sha2({key}, 256)' for key in keys)}), 256)")
        name = free_name(PARTITION, [column["name"].lower() for column in work["columns"]])
        rows = rows.select(*columns, key.alias(name)).repartition(F.col(name))
        rows.write.option("compression", "zstd").partitionBy(name).parquet(output)
    else:
        rows.select(*columns).write.option("compression", "zstd").parquet(output)


def key_of(key):
    """The value by which rows fall into partitions, of the column as the table has it."""
    value = f"CAST({quoted(key['column'])} AS {key['type']})" if key["present"] else f"CAST(NULL AS {key['type']})"
    if key["transform"] == "identity":
        return value
    if key["transform"] == "truncate":
        width = key["width"]
        if key["type"] in ("int", "bigint"):
            whole = f"CAST({value} AS DECIMAL(38, 0))"
            return f"{whole} - pmod({whole}, {width})"
        return f"left({value}, {width})"
    return f"date_trunc('{key['transform']}', CAST({value} AS TIMESTAMP))"


def free_name(wanted, taken):
    return free_name(f"_{wanted}", taken) if wanted in taken else wanted


def quoted(name):
    return "`" + name.replace("`", "``") + "`"
