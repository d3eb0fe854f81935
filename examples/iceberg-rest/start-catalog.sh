#!/bin/sh
# A REST catalog to try things with: that of Apache Iceberg's own tests, on 127.0.0.1:8181, until Ctrl-C. Needs Java 17
# and Maven. Its tables lie in the folder that is named, .data/iceberg-rest unless another one is.
set -eu
cd "$(dirname "$0")/../.."
sources=test/engines/iceberg-rest
mkdir -p "${1:-.data/iceberg-rest}/warehouse"
place=$(cd "${1:-.data/iceberg-rest}" && pwd)
built=${XDG_CACHE_HOME:-$HOME/.cache}/pipeline-service/iceberg-rest-example
mvn --batch-mode --quiet --file $sources/pom.xml dependency:copy-dependencies "-DoutputDirectory=$built/lib" -DincludeScope=runtime
javac -cp "$built/lib/*" -d "$built/classes" $sources/LoopbackRest.java
# It ends with its standard input, which here never does.
tail -f /dev/null | java -Xmx256m -cp "$built/classes:$built/lib/*" LoopbackRest 8181 matih \
  catalog-impl=org.apache.iceberg.jdbc.JdbcCatalog "uri=jdbc:sqlite:$place/catalog.db" jdbc.schema-version=V1 \
  "warehouse=file://$place/warehouse"
