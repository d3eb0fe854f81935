#!/bin/sh
# An S3 service on http://127.0.0.1:7070 over a folder of this machine, with the bucket `lake` and the birdstrikes in it. Needs Go.
set -eu
cd "$(dirname "$0")/../.."
folder=$PWD/.data/s3-example
mkdir -p "$folder/buckets/lake/in" "$folder/metadata"
cp node_modules/vega-datasets/data/birdstrikes.csv "$folder/buckets/lake/in/"
GOBIN=$folder/bin go install "$(cat test/engines/versitygw.txt)"
exec "$folder/bin/versitygw" --port 127.0.0.1:7070 --access example --secret example-secret --quiet \
  posix --sidecar "$folder/metadata" "$folder/buckets"
