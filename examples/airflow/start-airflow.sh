#!/bin/sh
# Airflow 3 to try things with, on 127.0.0.1:8080, until Ctrl-C: user service, password service. Needs Python 3.11. Its
# database and logs lie in the folder that is named, .data/airflow unless another one is. What is set already stays.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=${1:-$here/../../.data/airflow}
mkdir -p "$place"
place=$(cd "$place" && pwd)
port=${AIRFLOW__API__PORT:-8080}
password=${AIRFLOW_PASSWORD:-service}

if [ -z "${AIRFLOW_ENVIRONMENT:-}" ]; then
  AIRFLOW_ENVIRONMENT=${XDG_CACHE_HOME:-$HOME/.cache}/pipeline-service/airflow-example
  if ! cmp -s "$here/requirements.txt" "$AIRFLOW_ENVIRONMENT/requirements.txt"; then
    python3 -m venv --clear "$AIRFLOW_ENVIRONMENT"
    "$AIRFLOW_ENVIRONMENT/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$AIRFLOW_ENVIRONMENT/requirements.txt"
  fi
fi

(umask 077 && printf '{"service":"%s","viewer":"%s"}' "$password" "$password" >"$place/passwords.json")
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
set -a
AIRFLOW_HOME=$place
AIRFLOW__CORE__DAGS_FOLDER=${AIRFLOW__CORE__DAGS_FOLDER:-$here/dags}
AIRFLOW__CORE__LOAD_EXAMPLES=False
AIRFLOW__CORE__EXECUTOR=LocalExecutor
AIRFLOW__CORE__PARALLELISM=4
AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=service:admin,viewer:viewer
AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=$place/passwords.json
AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://127.0.0.1:$port/execution/
AIRFLOW__API__HOST=127.0.0.1
AIRFLOW__API__PORT=$port
AIRFLOW__API__BASE_URL=http://127.0.0.1:$port
AIRFLOW__API__WORKERS=1
# Of the scheduler and the triggerer, who serve logs; their own ports would be taken by another Airflow.
AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT=$((port + 1))
AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT=$((port + 2))
AIRFLOW__API__SECRET_KEY=$(random)
AIRFLOW__API_AUTH__JWT_SECRET=$(random)
AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS=False
AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL=10
AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
# Bytecode would land beside the DAGs.
PYTHONDONTWRITEBYTECODE=1
# Its parts are found there; without it they die, and Airflow serves nothing.
PATH=$AIRFLOW_ENVIRONMENT/bin:$PATH
exec airflow standalone
