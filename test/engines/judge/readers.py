"""The two readers: pyiceberg's SqlCatalog and Spark's JdbcCatalog, each on the service's own SQLite catalog."""

import os
from decimal import Decimal

import pyarrow as pa
from pyiceberg import expressions
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from pyspark.sql import SparkSession

CATALOG_NAME = "matih"


def in_spark(name: str) -> str:
    """A table's name as Spark's SQL takes it."""
    return ".".join(f"`{part}`" for part in (CATALOG_NAME, *name.split(".")))


class Pyiceberg:
    """Tables as pyiceberg reads them; every call opens the catalog anew, so nothing is seen from a cache."""

    def table(self, lake: dict, name: str) -> Table:
        return self.catalog(lake).load_table(tuple(name.split(".")))

    def catalog(self, lake: dict) -> SqlCatalog:
        # The warehouse is where pyiceberg would put tables of its own; tables of ours name their own location.
        where = {"uri": f"sqlite:///{lake['catalogFile']}", "warehouse": f"file://{lake['warehouse']}"}
        return SqlCatalog(CATALOG_NAME, **where, **lake.get("s3", {}))

    def rows(
        self, lake: dict, name: str, snapshot_id: str | None, where: str | None, _pushed: str | None
    ) -> tuple[pa.Table, int]:
        """The rows, and how many data files the scan plans to read. `where` is a pyiceberg expression in Python."""
        table = self.table(lake, name)
        condition = eval(where, {**vars(expressions), "Decimal": Decimal}) if where else expressions.AlwaysTrue()
        scan = table.scan(row_filter=condition, snapshot_id=int(snapshot_id) if snapshot_id else None)
        return scan.to_arrow(), len(list(scan.plan_files()))


class Spark:
    """Spark with Iceberg's runtime: one JVM for everything, a session of its own for every catalog file."""

    def __init__(self, jars: list[str], scratch: str):
        self.scratch = scratch
        self.jars = jars
        self.root: SparkSession | None = None
        self.sessions: dict[str, SparkSession] = {}

    def session(self, lake: dict) -> SparkSession:
        key = lake["catalogFile"]
        if key not in self.sessions:
            session = self._root().newSession()
            prefix = f"spark.sql.catalog.{CATALOG_NAME}"
            session.conf.set(prefix, "org.apache.iceberg.spark.SparkCatalog")
            session.conf.set(f"{prefix}.type", "jdbc")
            session.conf.set(f"{prefix}.uri", f"jdbc:sqlite:{key}")
            session.conf.set(f"{prefix}.jdbc.schema-version", "V1")
            session.conf.set(f"{prefix}.warehouse", f"file://{lake['warehouse']}")
            session.conf.set(f"{prefix}.cache-enabled", "false")
            self.sessions[key] = session
        return self.sessions[key]

    def _root(self) -> SparkSession:
        if self.root is None:
            os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
            options = {
                "spark.driver.memory": "1g",
                "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Duser.timezone=UTC",
                "spark.driver.extraClassPath": ":".join(self.jars),
                "spark.driver.host": "127.0.0.1",
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.local.dir": self.scratch,
                "spark.sql.warehouse.dir": os.path.join(self.scratch, "spark-warehouse"),
                "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
                "spark.sql.session.timeZone": "UTC",
                "spark.sql.shuffle.partitions": "2",
                "spark.sql.adaptive.enabled": "false",
                "spark.ui.enabled": "false",
            }
            builder = SparkSession.builder.master("local[2]").appName("judge")
            for key, value in options.items():
                builder = builder.config(key, value)
            self.root = builder.getOrCreate()
            self.root.sparkContext.setLogLevel("ERROR")
        return self.root

    def rows(
        self, lake: dict, name: str, snapshot_id: str | None, where: str | None, pushed: str | None
    ) -> tuple[pa.Table, int]:
        """The rows, and how many data files Iceberg's own planner reads for them. `where` is Spark SQL, and `pushed`
        the part of it that Spark hands to Iceberg (all of it, unless given)."""
        session = self.session(lake)
        version = f" version as of {snapshot_id}" if snapshot_id else ""
        frame = session.sql(f"select * from {in_spark(name)}{version}" + (f" where {where}" if where else ""))
        return frame.toArrow(), self._planned_files(session, in_spark(name), snapshot_id, pushed or where)

    def _planned_files(self, session: SparkSession, name: str, snapshot_id: str | None, where: str | None) -> int:
        jvm = session._jvm
        scan = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(session._jsparkSession, name).newScan()
        if snapshot_id:
            scan = scan.useSnapshot(int(snapshot_id))
        if where:
            converter = jvm.org.apache.spark.sql.execution.datasources.SparkExpressionConverter
            condition = converter.collectResolvedSparkExpression(session._jsparkSession, name, where)
            scan = scan.filter(converter.convertToIcebergExpression(condition))
        tasks, files = scan.planFiles(), set()
        try:
            iterator = tasks.iterator()
            while iterator.hasNext():
                files.add(iterator.next().file().location())
        finally:
            tasks.close()
        return len(files)

    def stop(self) -> None:
        if self.root is not None:
            self.root.stop()
