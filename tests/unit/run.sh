#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh LOG BINARY...: runs every unit test binary, shows the failures (and with SHOW_OK=1 what passed),
# keeps all lines in LOG.
log=$1
shift
mkdir -p "$(dirname "$log")"
: >"$log"
for t in "$@"; do
	out=$("$t" 2>&1)
	code=$?
	printf '%s\n' "$out" >>"$log"
	[ -z "${SHOW_OK:-}" ] || printf '%s\n' "$out" | grep '^ok '
	if [ $code -ne 0 ]; then
		printf '%s\n' "$out" | grep -v '^ok '
		# A binary that died before it could report is a failure too.
		printf '%s\n' "$out" | grep -q '^FAIL ' || {
			echo "FAIL unit:$(basename "$t"): ended with $code" | tee -a "$log"
		}
	fi
done
passed=$(grep -c '^ok ' "$log")
failed=$(grep -c '^FAIL ' "$log")
echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
