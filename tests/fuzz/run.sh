#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fuzz targets over their seeds and a short, bounded number of mutations. For hours of it: ./configure CC=clang
# --enable-fuzzers --enable-sanitizers, make check_PROGRAMS..., and run tests/fuzz/fuzz_NAME CORPUS seeds/NAME by hand.
set -eu

runs=${RINGD_FUZZ_RUNS:-1500}
seeds=$abs_top_srcdir/tests/fuzz/seeds
corpus=$(mktemp -d "${TMPDIR:-/tmp}/ringd-corpus.XXXXXX")
trap 'rm -rf "$corpus"' EXIT

for name in sqe control msghdr; do
	fuzz=$abs_top_builddir/tests/fuzz/fuzz_$name
	if nm "$fuzz" 2>/dev/null | grep -q LLVMFuzzerRunDriver; then
		mkdir "$corpus/$name"
		"$fuzz" -seed=1 -runs="$runs" -artifact_prefix="$corpus/" "$corpus/$name" "$seeds/$name"
	else
		"$fuzz" -runs="$runs" "$seeds/$name"
	fi
done
