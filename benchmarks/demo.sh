#!/usr/bin/env bash
# The demo: the twenty most frequent words of the Go toolchain's own source, as
# a gang of four executors. Usage: demo.sh CAPSTAN
set -euo pipefail
capstan=${1:-bin/capstan}
src=$(go env GOROOT)/src
state=${CAPSTAN_STATE:-$PWD/.capstan}
spec=$(mktemp --suffix=.yaml)
trap 'rm -f "$spec"' EXIT
cores=$(nproc)

cat >"$spec" <<YAML
apiVersion: capstan/v1
kind: MapReduce
metadata: {name: demo}
gang: {size: 4, cpu: $((cores * 1000 / 4))m, memory: 512Mi, placement: {pack: host}}
spec:
  input:   {path: "file://$src/**/*.go", format: text, encoding: bytes}
  map:     {use: words}
  combine: {use: sum}
  reduce:  {use: sum}
  output:  {path: "s3://results/demo", format: parquet, ifExists: replace}
  preview: {limit: 20, by: value, order: descending}
YAML

exec "$capstan" --state "$state" run "$spec"
