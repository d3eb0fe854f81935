#!/bin/sh
# A standalone Spark to try things with: a master with its REST submission server on 127.0.0.1:6066 and one worker, until
# Ctrl-C. Needs Python 3.10 or later and Java 17. What it writes lies in the folder that is named, .data/spark unless
# another one is.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p "${1:-.data/spark}/recovery"
place=$(cd "${1:-.data/spark}" && pwd)
installed=${XDG_CACHE_HOME:-$HOME/.cache}/pipeline-service/spark-example
python=$installed/bin/python
test -x "$python" || python3 -m venv "$installed"
"$python" -m pip install --quiet --disable-pip-version-check pyspark==4.1.4
SPARK_HOME=$("$python" -c 'import os, pyspark; print(os.path.dirname(pyspark.__file__))')
export SPARK_HOME PYSPARK_PYTHON="$python" SPARK_LOCAL_IP=127.0.0.1
SPARK_DAEMON_JAVA_OPTS="-Dspark.master.rest.enabled=true -Dspark.master.rest.host=127.0.0.1 -Dspark.master.rest.port=6066 \
  -Dspark.deploy.recoveryMode=FILESYSTEM -Dspark.deploy.recoveryDirectory=$place/recovery" \
  "$SPARK_HOME/bin/spark-class" org.apache.spark.deploy.master.Master --host 127.0.0.1 --port 7077 --webui-port 8080 &
master=$!
"$SPARK_HOME/bin/spark-class" org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --cores 4 --memory 4g \
  --webui-port 8081 --work-dir "$place/work" spark://127.0.0.1:7077 &
worker=$!
trap 'kill $master $worker' INT TERM EXIT
wait
