"""The session in which steps work: SQL means what it means in DuckDB where Spark lets it, and reaches nothing else."""

from pyspark.sql import SparkSession

SETTINGS = {
    # Like DuckDB: errors where a value does not fit, "names" in double quotes, timestamps without a zone.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.session.timeZone": "UTC",
    # INT96 has no statistics, and no reader of Iceberg takes it.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # A line with a wrong number of fields is only seen by who looks at all of them.
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    "spark.sql.runSQLOnFiles": "false",
}
# They call any method of Java.
FORBIDDEN_FUNCTIONS = ("reflect", "try_reflect", "java_method")


def open_session():
    # No metastore: the tables are the step's inputs, and nothing besides.
    builder = SparkSession.builder.config("spark.sql.catalogImplementation", "in-memory")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for name, _ in spark.sparkContext.getConf().getAll():
        if name.startswith("spark.sql.catalog."):
            spark.conf.unset(name)
    registry = spark._jsparkSession.sessionState().functionRegistry()
    for name in FORBIDDEN_FUNCTIONS:
        registry.dropFunction(spark._jvm.org.apache.spark.sql.catalyst.FunctionIdentifier(name))
    return spark


def read_parquet(spark, paths):
    """The files as they are named: a `*` in a name is no pattern."""
    return spark.read.option("__globPaths__", "false").parquet(*paths)


def open_inputs(spark, inputs):
    """Each input, a list of files, as a table of its name."""
    for name, paths in inputs.items():
        read_parquet(spark, paths).createOrReplaceTempView(f"`{name}`")
