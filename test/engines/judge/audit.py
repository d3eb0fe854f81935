"""Everything in a table's metadata that can be recomputed from its data files is recomputed and compared.

Readers believe metadata: a wrong bound, count or partition value makes them skip rows without a word. So for each
snapshot this opens each manifest and each Parquet file and checks what Iceberg's specification says must hold
(sections "Manifests", "Manifest Lists", "Snapshots", "Partition Transforms", "Field IDs" and appendix D).
"""

import json
import math
import os
import sqlite3
import urllib.parse
import uuid
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.conversions import from_bytes
from pyiceberg.manifest import DataFile, ManifestContent, ManifestEntryStatus, ManifestFile
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import BinaryType, DoubleType, FixedType, FloatType, PrimitiveType, StringType, UUIDType

FLOATS = (FloatType, DoubleType)
PREFIXED = (StringType, BinaryType, FixedType)
LONG_VALUE = 4096
# Of lower_bounds and upper_bounds among the fields of a data file.
BOUNDS_AT = (10, 11)


def audit(table: Table, catalog_file: str, ours: list[str]) -> list[str]:
    """Faults in words; an empty list is a sound table. The metrics of files are judged for our snapshots `ours` only:
    other engines leave some out."""
    auditor = _Auditor(table, {int(snapshot_id) for snapshot_id in ours})
    auditor.catalog_row(catalog_file)
    auditor.metadata()
    for snapshot in table.metadata.snapshots:
        auditor.snapshot(snapshot)
    return auditor.faults


def unreferenced_data_files(table: Table) -> list[str]:
    """Parquet files in the table's folder that no snapshot knows."""
    known = set()
    for snapshot in table.metadata.snapshots:
        for manifest in snapshot.manifests(table.io):
            known |= {path_of(entry.data_file.file_path) for entry in manifest.fetch_manifest_entry(table.io, False)}
    found = []
    for folder, _, names in os.walk(os.path.join(path_of(table.location()), "data")):
        found += [os.path.join(folder, name) for name in names if name.endswith(".parquet")]
    return sorted(set(found) - known)


def path_of(location: str) -> str:
    return urllib.parse.urlparse(location).path if location.startswith("file:") else location


class _Auditor:
    def __init__(self, table: Table, ours: set[int]):
        self.table = table
        self.ours = ours
        self.io = table.io
        self.faults: list[str] = []
        self.where = "metadata"
        self.fields = {}
        for schema in table.metadata.schemas:
            for field_id in _field_ids(schema):
                self.fields.setdefault(field_id, schema.find_field(field_id))
        for field_id in _field_ids(table.schema()):
            self.fields[field_id] = table.schema().find_field(field_id)
        self.seen_files: dict[str, tuple] = {}
        self.seen_manifests: dict[str, tuple] = {}

    def equal(self, what: str, expected, got) -> None:
        if expected != got:
            self.faults.append(f"{self.where}: {what} is {got!r}, expected {expected!r}"[:2000])

    def true(self, what: str, holds: bool) -> None:
        if not holds:
            self.faults.append(f"{self.where}: {what}")

    def catalog_row(self, catalog_file: str) -> None:
        self.where = "catalog"
        with sqlite3.connect(catalog_file) as database:
            self.equal("journal mode", "delete", database.execute("pragma journal_mode").fetchone()[0])
            rows = database.execute(
                "select catalog_name, metadata_location, previous_metadata_location from iceberg_tables"
                " where table_namespace = ? and table_name = ?",
                (".".join(self.table.name()[:-1]), self.table.name()[-1]),
            ).fetchall()
        self.equal("rows for the table", 1, len(rows))
        name, location, previous = rows[0]
        self.equal("catalog name", "matih", name)
        self.equal("metadata location", self.table.metadata_location, location)
        if self.table.metadata.metadata_log:
            self.equal("previous metadata location", self.table.metadata.metadata_log[-1].metadata_file, previous)

    def metadata(self) -> None:
        self.where = "metadata"
        meta = self.table.metadata
        with open(path_of(self.table.metadata_location), encoding="utf-8") as file:
            raw = json.load(file)
        self.equal("format version", 2, meta.format_version)
        self.equal("main", meta.current_snapshot_id, meta.refs["main"].snapshot_id if "main" in meta.refs else None)
        self.true("current-snapshot-id is neither null nor a snapshot", meta.current_snapshot_id != -1)
        newest = max((snapshot.sequence_number for snapshot in meta.snapshots), default=0)
        self.true(f"last-sequence-number {meta.last_sequence_number} < {newest}", meta.last_sequence_number >= newest)
        self.equal("last-column-id", max(self.fields), meta.last_column_id)
        partition_ids = [field.field_id for spec in meta.partition_specs for field in spec.fields]
        self.true("last-partition-id is too small", (raw["last-partition-id"] or 999) >= max(partition_ids, default=999))
        self.true("a required top-level key is missing", {"partition-specs", "sort-orders", "schemas"} <= raw.keys())
        log = [entry.snapshot_id for entry in meta.snapshot_log]
        if meta.current_snapshot_id is not None:
            self.equal("end of snapshot-log", meta.current_snapshot_id, log[-1] if log else None)
        times = [entry.timestamp_ms for entry in meta.snapshot_log]
        self.equal("order of snapshot-log", sorted(times), times)
        self.true("last-updated-ms is before the last snapshot", meta.last_updated_ms >= max(times, default=0))
        known = {snapshot.snapshot_id for snapshot in meta.snapshots}
        self.true("snapshot-log names a snapshot that is not there", set(log) <= known)
        for entry in meta.metadata_log:
            self.true(f"{entry.metadata_file} of metadata-log is missing", os.path.exists(path_of(entry.metadata_file)))
        for spec in meta.partition_specs:
            for field in spec.fields:
                self.true(f"source {field.source_id} of a partition field is no column", field.source_id in self.fields)

    def snapshot(self, snapshot: Snapshot) -> None:
        self.where = f"snapshot {snapshot.sequence_number}"
        self.true("schema-id is no schema", snapshot.schema_id in {schema.schema_id for schema in self.table.metadata.schemas})
        counts = dict.fromkeys(["added-data-files", "added-records", "deleted-data-files", "deleted-records"], 0)
        totals = dict.fromkeys(["total-data-files", "total-records", "total-delete-files", "total-files-size"], 0)
        added_size, removed_size, live = 0, 0, set()
        for manifest in snapshot.manifests(self.io):
            for entry in self.manifest(snapshot, manifest):
                file = entry.data_file
                if entry.status != ManifestEntryStatus.DELETED:
                    self.true(f"{file.file_path} is live twice", file.file_path not in live)
                    live.add(file.file_path)
                    totals["total-files-size"] += file.file_size_in_bytes
                    totals["total-data-files"] += manifest.content == ManifestContent.DATA
                    totals["total-delete-files"] += manifest.content != ManifestContent.DATA
                    totals["total-records"] += file.record_count if manifest.content == ManifestContent.DATA else 0
                if entry.snapshot_id == snapshot.snapshot_id:
                    if entry.status == ManifestEntryStatus.ADDED:
                        added_size += file.file_size_in_bytes
                    elif entry.status == ManifestEntryStatus.DELETED:
                        removed_size += file.file_size_in_bytes
                if manifest.content == ManifestContent.DATA and entry.snapshot_id == snapshot.snapshot_id:
                    if entry.status == ManifestEntryStatus.ADDED:
                        counts["added-data-files"] += 1
                        counts["added-records"] += file.record_count
                    elif entry.status == ManifestEntryStatus.DELETED:
                        counts["deleted-data-files"] += 1
                        counts["deleted-records"] += file.record_count
                    else:
                        self.true("an EXISTING entry names this snapshot as the one that added it", False)
        self.where = f"summary of snapshot {snapshot.sequence_number}"
        summary = snapshot.summary.additional_properties if snapshot.summary else {}
        for key, count in {**counts, **totals}.items():
            # What is zero may be left out, except for the totals.
            if key in summary or key.startswith("total") or count:
                self.equal(key, str(count), summary.get(key))
        for key, size in {"added-files-size": added_size, "removed-files-size": removed_size}.items():
            if key in summary:
                self.equal(key, str(size), summary[key])
        operation = snapshot.summary.operation.value if snapshot.summary else None
        if operation == "append":
            self.equal("deleted files of an append", 0, counts["deleted-data-files"])
        self.true(f"operation is {operation!r}", operation in ("append", "overwrite", "replace", "delete"))

    def manifest(self, snapshot: Snapshot, manifest: ManifestFile) -> list:
        """The entries. A manifest never changes, so what is said of it in each manifest list is the same."""
        seen = self.seen_manifests.get(manifest.manifest_path)
        if seen is not None:
            self.where = f"manifest list of snapshot {snapshot.sequence_number}"
            self.equal(f"entry of {manifest.manifest_path}", seen[0], str(manifest._data))
            return seen[1]
        entries = self.new_manifest(snapshot, manifest)
        self.seen_manifests[manifest.manifest_path] = (str(manifest._data), entries)
        return entries

    def new_manifest(self, snapshot: Snapshot, manifest: ManifestFile) -> list:
        name = os.path.basename(manifest.manifest_path)
        self.where = f"manifest {name} in snapshot {snapshot.sequence_number}"
        self.equal("manifest_length", os.path.getsize(path_of(manifest.manifest_path)), manifest.manifest_length)
        self.true("sequence number is later than its snapshot's", manifest.sequence_number <= snapshot.sequence_number)
        entries = manifest.fetch_manifest_entry(self.io, discard_deleted=False)
        spec = self.table.metadata.specs()[manifest.partition_spec_id]
        for status, files, rows in [
            (ManifestEntryStatus.ADDED, manifest.added_files_count, manifest.added_rows_count),
            (ManifestEntryStatus.EXISTING, manifest.existing_files_count, manifest.existing_rows_count),
            (ManifestEntryStatus.DELETED, manifest.deleted_files_count, manifest.deleted_rows_count),
        ]:
            of_status = [entry for entry in entries if entry.status == status]
            self.equal(f"files {status.name}", len(of_status), files)
            self.equal(f"rows {status.name}", sum(entry.data_file.record_count for entry in of_status), rows)
        for entry in entries:
            self.true("an entry has no sequence number", entry.sequence_number is not None)
            self.true("an entry has no snapshot id", entry.snapshot_id is not None)
            if entry.status == ManifestEntryStatus.ADDED:
                self.equal("snapshot that added an ADDED entry", manifest.added_snapshot_id, entry.snapshot_id)
            else:
                self.true("EXISTING or DELETED entry has no file sequence number", entry.file_sequence_number is not None)
        live = [entry.sequence_number for entry in entries if entry.status != ManifestEntryStatus.DELETED]
        if live:
            self.equal("min_sequence_number", min(live), manifest.min_sequence_number)
        self.equal("number of partition summaries", len(spec.fields), len(manifest.partitions or []))
        for at, summary in enumerate(manifest.partitions or []):
            values = [entry.data_file.partition[at] for entry in entries]
            kind = spec.fields[at].transform.result_type(self.field_of(snapshot, spec.fields[at].source_id).field_type)
            self.summary(f"partition summary {spec.fields[at].name}", kind, values, summary)
        for entry in entries:
            file = entry.data_file
            description = (entry.sequence_number, entry.file_sequence_number, _description(file))
            first, described = self.seen_files.setdefault(file.file_path, (description, file))
            expected = first
            if entry.status == ManifestEntryStatus.DELETED:
                # Bounds in a type that the schema no longer has are left out, since readers of the entries fail at them.
                expected = (*first[:2], _description(described, bounds_like=file))
            self.equal(f"description of {file.file_path} in a later manifest", expected, description)
            # Of a file that no snapshot has live any more, expiry may have left the entry alone.
            there = entry.status != ManifestEntryStatus.DELETED or os.path.exists(path_of(file.file_path))
            if there and first is description and manifest.content == ManifestContent.DATA and entry.snapshot_id in self.ours:
                self.data_file(file, spec)
        self.where = f"snapshot {snapshot.sequence_number}"
        return entries

    def field_of(self, snapshot: Snapshot, field_id: int):
        """As the snapshot's own schema has it, in whose types its manifests are written; else as any schema, since pyiceberg
        itself does not look in those before."""
        own = next((schema for schema in self.table.metadata.schemas if schema.schema_id == snapshot.schema_id), None)
        return own.find_field(field_id) if own is not None and field_id in _field_ids(own) else self.fields[field_id]

    def summary(self, what: str, kind: PrimitiveType, values: list, summary) -> None:
        usable = [value for value in values if value is not None and value == value]
        self.equal(f"{what} contains_null", any(value is None for value in values), summary.contains_null)
        if isinstance(kind, FLOATS):
            self.equal(f"{what} contains_nan", any(value is not None and value != value for value in values), summary.contains_nan)
        self.bounds(what, kind, usable, summary.lower_bound, summary.upper_bound)

    def data_file(self, file: DataFile, spec) -> None:
        self.where = os.path.relpath(path_of(file.file_path), path_of(self.table.location()))
        path = path_of(file.file_path)
        self.equal("file_format", "PARQUET", str(file.file_format.value).upper())
        self.equal("file_size_in_bytes", os.path.getsize(path), file.file_size_in_bytes)
        parquet = pq.ParquetFile(path)
        self.equal("record_count", parquet.metadata.num_rows, file.record_count)
        offsets = [parquet.metadata.row_group(at).column(0).data_page_offset for at in range(parquet.metadata.num_row_groups)]
        if file.split_offsets is not None:
            self.equal("number of split_offsets", len(offsets), len(file.split_offsets))
            self.equal("order of split_offsets", sorted(file.split_offsets), list(file.split_offsets))
        leaves: dict[int, pa.Array] = {}
        for name, column in zip(parquet.schema_arrow.names, parquet.read().columns):
            self._leaves(parquet.schema_arrow.field(name), column.combine_chunks(), leaves)
        for field_id, array in leaves.items():
            if field_id not in self.fields or not isinstance(self.fields[field_id].field_type, PrimitiveType):
                continue
            self.metrics(self.fields[field_id], field_id, array, file)
        for at, field in enumerate(spec.fields):
            source = self.fields[field.source_id]
            transform = field.transform.transform(source.field_type)
            values = literals(leaves[field.source_id], source.field_type) if field.source_id in leaves else [None]
            expected = {_key(transform(value)) for value in {_key(value): value for value in values}.values()}
            self.equal(f"partition {field.name} ({field.transform})", expected, {_key(file.partition[at])})

    def _leaves(self, field: pa.Field, array: pa.Array, leaves: dict[int, pa.Array]) -> None:
        """The columns that are not inside a list, by field id; a struct's hold null where the struct is null."""
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks)
        field_id = (field.metadata or {}).get(b"PARQUET:field_id")
        self.true(f"column {field.name} has no field id", field_id is not None)
        if pa.types.is_struct(field.type):
            for at, part in enumerate(array.flatten()):
                self._leaves(field.type.field(at), part, leaves)
        elif pa.types.is_list(field.type):
            element = field.type.value_field
            self.true(f"the element of {field.name} has no field id", b"PARQUET:field_id" in (element.metadata or {}))
        elif field_id is not None:
            leaves[int(field_id)] = array

    def metrics(self, field, field_id: int, array: pa.Array, file: DataFile) -> None:
        values = literals(array, field.field_type)
        usable = [value for value in values if value is not None and value == value]
        self.equal(f"value_counts of {field.name}", len(values), (file.value_counts or {}).get(field_id))
        self.equal(f"null_value_counts of {field.name}", array.null_count, (file.null_value_counts or {}).get(field_id))
        if isinstance(field.field_type, FLOATS):
            nans = sum(value is not None and value != value for value in values)
            self.equal(f"nan_value_counts of {field.name}", nans, (file.nan_value_counts or {}).get(field_id))
        lower, upper = (file.lower_bounds or {}).get(field_id), (file.upper_bounds or {}).get(field_id)
        self.bounds(field.name, field.field_type, usable, lower, upper)

    def bounds(self, what: str, kind: PrimitiveType, usable: list, lower: bytes | None, upper: bytes | None) -> None:
        if not usable:
            self.equal(f"lower bound of {what} without values", None, lower)
            self.equal(f"upper bound of {what} without values", None, upper)
            return
        order = _order(kind)
        least, most = min(usable, key=order), max(usable, key=order)
        low, high = _decoded(kind, lower), _decoded(kind, upper)
        if isinstance(kind, PREFIXED):
            # Prefixes are bounds too; a greatest prefix may not exist, and nobody keeps statistics of very long values.
            missing = low is None and all(len(value) < LONG_VALUE for value in (least, most))
            self.true(f"lower bound {low!r} of {what} is above {least!r}", low is None or order(low) <= order(least))
            self.true(f"lower bound of {what} is missing, although {least!r} is short", not missing)
            self.true(f"upper bound {high!r} of {what} is below {most!r}", high is None or order(high) >= order(most))
        elif isinstance(kind, UUIDType) and low is None and high is None:
            # Engines disagree on the order of uuids, so no bounds are as right as any.
            return
        else:
            self.equal(f"lower bound of {what}", least, low)
            self.equal(f"upper bound of {what}", most, high)
            if isinstance(kind, FLOATS):
                # Parquet may widen a zero to the one of the right sign; the other way round loses rows.
                self.true(f"lower bound {low} of {what} is above {least}", low is None or order(low) <= order(least))
                self.true(f"upper bound {high} of {what} is below {most}", high is None or order(high) >= order(most))


def literals(array: pa.Array, kind: PrimitiveType) -> list:
    """Values as Iceberg's transforms and bounds have them: days, microseconds, Decimal, UUID, bytes, str."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_timestamp(array.type):
        array = array.cast(pa.timestamp("us", array.type.tz)).cast(pa.int64())
    if pa.types.is_date32(array.type):
        array = array.cast(pa.int32())
    values = array.to_pylist()
    if isinstance(kind, UUIDType):
        return [None if value is None else uuid.UUID(bytes=value) for value in values]
    return values


def _decoded(kind: PrimitiveType, bound: bytes | None):
    if bound is None:
        return None
    return uuid.UUID(bytes=bound) if isinstance(kind, UUIDType) else from_bytes(kind, bound)


def _order(kind: PrimitiveType):
    if isinstance(kind, StringType):
        return lambda value: value.encode("utf-8")
    if isinstance(kind, UUIDType):
        return lambda value: value.bytes
    if isinstance(kind, FLOATS):
        # IEEE 754 total order: -0.0 comes before 0.0.
        return lambda value: (value, math.copysign(1, value))
    return lambda value: value


def _key(value):
    """Equal for equal bits: NaN is itself, the zeros are two, a date is its days."""
    if isinstance(value, float):
        return "nan" if value != value else (value, math.copysign(1, value))
    return value


def _description(file: DataFile, bounds_like: DataFile | None = None) -> str:
    """All that is said of a file; a map that is empty says as much as one that is missing, and content, which version 1
    does not tell, comes as an enum or as its number. With bounds of those columns only that another one has bounds of."""
    content, *others = file._data
    told = [int(content), *((dict(value) or None) if isinstance(value, Mapping) else value for value in others)]
    if bounds_like is not None:
        for at in BOUNDS_AT:
            kept = bounds_like._data[at] or {}
            told[at] = {key: value for key, value in (told[at] or {}).items() if key in kept} or None
    return str(told)


def _field_ids(schema: Schema) -> list[int]:
    return list(schema.field_ids)
