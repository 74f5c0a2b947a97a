#!/usr/bin/env bash
# Compare the time of a run of the suite with that of the runbook's commands in a shell, against the
# same lab. Needs hyperfine, curl, psql, and a running lab: python -m lab up
set -euo pipefail
cd "$(dirname "$0")/.."
values=$(mktemp)
out=$(mktemp -d)
trap 'rm -rf "$values" "$out"' EXIT
python bench/runbook_variables.py >"$values"
hyperfine --warmup 1 --runs "${RUNS:-10}" \
    --command-name "the runbook's commands" ". $values; bash bench/runbook_commands.sh" \
    --command-name "the suite, -n0" "python -m pytest --target lab -n0 --out=$out" \
    --command-name "the suite, -n2" "python -m pytest --target lab -n2 --out=$out"
