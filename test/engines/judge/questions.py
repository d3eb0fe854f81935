"""What the tests may ask. Snapshot ids are text everywhere: they are larger than JavaScript's numbers hold."""

from collections import Counter

import pyarrow.parquet as pq
from pyiceberg.transforms import parse_transform

from audit import audit, literals, unreferenced_data_files
from canonical import difference, rows_of
from readers import Pyiceberg, Spark, in_spark


class Questions:
    def __init__(self, jars: list[str], scratch: str):
        self.pyiceberg = Pyiceberg()
        self.spark = Spark(jars, scratch)

    def answer(self, question: str, asked: dict):
        return getattr(self, f"ask_{question}")(**asked)

    def stop(self) -> None:
        self.spark.stop()

    def ask_rows(
        self, reader: str, lake: dict, table: str, expected: str, snapshotId=None, where=None, pushed=None
    ) -> dict:
        """How the rows that a reader finds differ from those of a Parquet file, and the data files it plans to read."""
        wanted = pq.read_table(expected)
        got, planned = getattr(self, reader).rows(lake, table, snapshotId, where, pushed)
        left, right = rows_of(wanted, wanted.schema), rows_of(got, wanted.schema)
        return {"difference": difference(left, right), "rows": len(right), "plannedFiles": planned}

    def ask_schema(self, reader: str, lake: dict, table: str) -> list:
        """Columns as [name, type, required], types in the reader's own words."""
        if reader == "spark":
            fields = self.spark.session(lake).table(in_spark(table)).schema.fields
            return [[field.name, field.dataType.simpleString(), not field.nullable] for field in fields]
        schema = self.pyiceberg.table(lake, table).schema()
        return [[field.name, str(field.field_type), field.required] for field in schema.fields]

    def ask_audit(self, lake: dict, table: str, ours: list[str]) -> list[str]:
        return audit(self.pyiceberg.table(lake, table), lake["catalogFile"], ours)

    def ask_history(self, lake: dict, table: str) -> list[dict]:
        """The snapshots in the order of their sequence numbers, and whether each was current in its turn."""
        metadata = self.pyiceberg.table(lake, table).metadata
        logged = [entry.snapshot_id for entry in metadata.snapshot_log]
        return [
            {
                "snapshotId": str(snapshot.snapshot_id),
                "parentId": None if snapshot.parent_snapshot_id is None else str(snapshot.parent_snapshot_id),
                "operation": snapshot.summary.operation.value,
                "summary": dict(snapshot.summary.additional_properties),
                "logged": snapshot.snapshot_id in logged,
            }
            for snapshot in sorted(metadata.snapshots, key=lambda each: each.sequence_number)
        ]

    def ask_properties(self, lake: dict, table: str) -> dict:
        return dict(self.pyiceberg.table(lake, table).properties)

    def ask_partitions(self, lake: dict, table: str) -> list:
        """The current snapshot's partitions as [partition, rows, files], the partition as text by field."""
        # Not by `inspect.partitions()`, which fails for uuids.
        source = self.pyiceberg.table(lake, table)
        partitions: dict[str, list] = {}
        for task in source.scan().plan_files():
            fields = source.specs()[task.file.spec_id].fields
            values = {field.name: str(task.file.partition[at]) for at, field in enumerate(fields)}
            counted = partitions.setdefault(repr(values), [values, 0, 0])
            counted[1] += task.file.record_count
            counted[2] += 1
        return list(partitions.values())

    def ask_transformed(self, lake: dict, table: str, parquet: str, column: str, transform: str) -> list:
        """A partition transform of a Parquet file's column, row by row, by pyiceberg's own implementation."""
        kind = self.pyiceberg.table(lake, table).schema().find_field(column).field_type
        apply = parse_transform(transform).transform(kind)
        return [apply(value) for value in literals(pq.read_table(parquet).column(column).combine_chunks(), kind)]

    def ask_listed(self, reader: str, lake: dict, namespace: str) -> list[str]:
        if reader == "spark":
            rows = self.spark.session(lake).sql(f"SHOW TABLES IN {in_spark(namespace)}").collect()
            return sorted(row["tableName"] for row in rows)
        return sorted(name[-1] for name in self.pyiceberg.catalog(lake).list_tables(tuple(namespace.split("."))))

    def ask_metadata_tables(self, reader: str, lake: dict, table: str) -> dict[str, int]:
        names = ["snapshots", "history", "refs", "manifests", "files", "entries", "partitions", "metadata_log_entries"]
        if reader == "spark":
            read = self.spark.session(lake)
            return {name: len(read.sql(f"SELECT * FROM {in_spark(table)}.{name}").collect()) for name in names}
        inspect = self.pyiceberg.table(lake, table).inspect
        return {name: getattr(inspect, name)().num_rows for name in names}

    def ask_unreferenced(self, lake: dict, table: str) -> list[str]:
        return unreferenced_data_files(self.pyiceberg.table(lake, table))

    def ask_counts(self, lake: dict, table: str, column: str) -> dict:
        """How often each value of a column occurs, by pyiceberg."""
        rows = self.pyiceberg.table(lake, table).scan(selected_fields=(column,)).to_arrow()
        return {str(value): count for value, count in Counter(rows.column(column).to_pylist()).items()}

    def ask_sql(self, lake: dict, statement: str) -> list[list]:
        """A statement for Spark; its rows as text."""
        rows = self.spark.session(lake).sql(statement).collect()
        return [[None if value is None else str(value) for value in row] for row in rows]

    def ask_append(self, lake: dict, table: str, parquet: str) -> None:
        """pyiceberg appends the rows of a Parquet file."""
        target = self.pyiceberg.table(lake, table)
        target.append(pq.read_table(parquet).cast(target.schema().as_arrow()))

    def ask_delete(self, lake: dict, table: str, where: str) -> None:
        """pyiceberg deletes rows, by rewriting files."""
        self.pyiceberg.table(lake, table).delete(where)
