#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# compatibility-doc.sh OUTPUT TEST...: run the tests of programs (in the build tree, see the Makefile's compatibility-doc; the
# tests by their path in the source tree) and write the table of what was done, through which door, where.
set -eu
output=$1
shift
here=$top_srcdir/tests/compat
RINGD_COMPAT_RESULTS=$(mktemp -d)
export RINGD_COMPAT_RESULTS
trap 'rm -rf "$RINGD_COMPAT_RESULTS"' EXIT

for test; do
	echo "  ${test##*/}" >&2
	bash "$top_srcdir/$test" >"$RINGD_COMPAT_RESULTS/log" || grep -a '^not ok\|^SKIP' "$RINGD_COMPAT_RESULTS/log" >&2 || :
	rm -f "$RINGD_COMPAT_RESULTS/log"
done

{
	cat <<END
# Compatibility

Written by \`make compatibility-doc\` on $(date -u +%Y-%m-%d) from the results of tests/compat/programs; not to be edited. Programs as
Debian 12 ships them did the same work on the io_uring of Linux $(uname -r) and on ringd inside their own process; what they
wrote, said and ended with was compared. Each run on ringd told at its end which rings and requests it was served, as with
\`ringd-run --report\`: a program that goes on without io_uring does not pass.

| Door | Meaning |
|---|---|
| library | ringd's liburing.so.2 instead of the distribution's, by LD_LIBRARY_PATH |
| trap | libringd-trap.so by LD_PRELOAD: the program's own system calls are answered |
| ringd-run | what ringd-run chooses of them for the program |

| Place | Meaning |
|---|---|
| process | an ordinary process |
| container | namespaces of its own, capabilities and system call filter as container runtimes have them by default; io_uring answers EPERM |
| ENOSYS | the same, but io_uring answers ENOSYS |
| sysctl | kernel.io_uring_disabled is 2 |
| Podman | a container that $(podman --version 2>/dev/null || echo podman) made, with its default profile |

| Result | Meaning |
|---|---|
| equal | as on the kernel's io_uring in an ordinary process |
| refused | without ringd: io_uring is not to be had there |
| empty | not tried |
| anything else, in bold | not as on the kernel |
END
	cat "$RINGD_COMPAT_RESULTS"/* | LC_ALL=C awk -F'\t' -f "$here/compatibility-doc.awk"
} >"$output.new"
mv "$output.new" "$output"
if grep '\*\*[A-Z]*\*\*' "$output" >&2; then
	exit 1
fi
