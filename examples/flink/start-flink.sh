#!/bin/sh
# A Flink to try things with: job manager (its UI on 127.0.0.1:8081), task manager and SQL gateway (127.0.0.1:8083), until
# Ctrl-C. Needs Python 3.11, Java 17 and Maven.
set -eu
cd "$(dirname "$0")/../.."
built=${XDG_CACHE_HOME:-$HOME/.cache}/pipeline-service/flink-example
if [ ! -e "$built/complete" ]; then
  python3 -m venv "$built"
  "$built/bin/python" -m pip install --quiet --no-deps setuptools==80.9.0 packaging==26.3 wheel==0.48.0
  "$built/bin/python" -m pip install --quiet --no-deps --no-build-isolation --requirement test/engines/flink/requirements.txt
  mvn --batch-mode --quiet --file test/engines/flink/pom.xml dependency:copy-dependencies "-DoutputDirectory=$built/jars" \
    -DexcludeTransitive=true
  touch "$built/complete"
fi
home=$(echo "$built"/lib/python3*/site-packages/pyflink)
FLINK_CONF_DIR=$(mktemp -d)
export FLINK_CONF_DIR FLINK_LIB_DIR="$home/lib" FLINK_OPT_DIR="$home/opt" FLINK_PLUGINS_DIR="$home/plugins"
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$FLINK_CONF_DIR"' EXIT
trap 'exit 0' INT TERM
cat >"$FLINK_CONF_DIR/config.yaml" <<END
jobmanager.rpc.address: 127.0.0.1
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 1024m
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: 8081
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: 4
taskmanager.memory.process.size: 1400m
sql-gateway.endpoint.rest.address: 127.0.0.1
sql-gateway.endpoint.rest.port: 8083
END
opened=
for name in java.lang java.lang.reflect java.net java.io java.nio java.text java.time java.util java.util.concurrent \
  java.util.concurrent.atomic java.util.concurrent.locks sun.nio.ch; do
  opened="$opened --add-opens=java.base/$name=ALL-UNNAMED"
done
java -Xmx448m $opened -cp "$home/lib/*:$built/jars/*" \
  org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint --configDir "$FLINK_CONF_DIR" &
# Flink itself computes what a task manager of that size is started with: Java's options, then settings.
parameters=$(java -cp "$home/bin/bash-java-utils.jar:$(echo "$home"/lib/flink-dist-*.jar)" \
  org.apache.flink.runtime.util.bash.BashJavaUtils GET_TM_RESOURCE_PARAMS --configDir "$FLINK_CONF_DIR" 2>/dev/null |
  sed -n 's/^BASH_JAVA_UTILS_EXEC_RESULT://p')
java $(echo "$parameters" | head -n 1) $opened -cp "$home/lib/*:$built/jars/*" \
  org.apache.flink.runtime.taskexecutor.TaskManagerRunner --configDir "$FLINK_CONF_DIR" $(echo "$parameters" | tail -n 1) &
java -Xmx400m $opened -cp "$built/jars/*:$home/lib/*:$home/opt/*" org.apache.flink.table.gateway.SqlGateway &
wait
