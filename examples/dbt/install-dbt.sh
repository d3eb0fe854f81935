#!/bin/sh
# dbt with its adapters for DuckDB and PostgreSQL, in the versions that this project is tested with. Prints the path of
# the command, for DBT_COMMAND. Needs Python 3.11 or newer.
set -eu
cd "$(dirname "$0")/../.."
folder=${XDG_CACHE_HOME:-$HOME/.cache}/pipeline-service/dbt-example
if ! "$folder/bin/dbt" --version >/dev/null 2>&1; then
  python3 -m venv "$folder" >&2
  pip="$folder/bin/python -m pip install --quiet --no-deps"
  # One of the packages is built here, by these.
  $pip setuptools==80.9.0 packaging==26.3 wheel==0.48.0 >&2
  $pip --no-build-isolation --requirement test/engines/dbt-requirements.txt >&2
fi
echo "$folder/bin/dbt"
