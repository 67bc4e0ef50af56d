#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# updatedb and plocate. plocate links liburing, reads its index and checks that files exist with it, and goes on without
# where there is none: what it finds must be the same, and in the same order.
. "$(dirname "$0")/lib.sh"
program plocate plocate
needs plocate updatedb.plocate

tree()
{
	local d
	for d in {1..60}; do
		mkdir -p "tree/dir$d/sub"
		touch "tree/dir$d/"{alpha,beta,gamma}-{1..8}.txt "tree/dir$d/sub/"{delta,epsilon}.{c,h}
	done
}

find_all()
{
	tree
	# the one that is installed may read an index that others may not: a process with such rights takes no libraries from us
	cp "$(command -v plocate)" plocate
	say run updatedb.plocate --require-visibility no --database-root "$PWD/tree" --output "$PWD/db"
	echo "here: $PWD" >&2
	local pattern
	for pattern in alpha beta-3 'dir1*/sub/*.h' 'epsilon.c' nothing-like-it; do
		run ./plocate --database "$PWD/db" "$pattern" >found
		echo "$pattern: $?" >>"$COMPAT_RESULT"
		keep sed "s,^$PWD,," found
	done
	# with the check that each is still there, which is a statx of each
	rm -rf tree/dir{1..20} tree/dir30/alpha-3.txt
	for pattern in alpha-3 sub 'dir*9/gamma*'; do
		run ./plocate --existing --database "$PWD/db" "$pattern" >found
		echo "existing $pattern: $?" >>"$COMPAT_RESULT"
		keep sed "s,^$PWD,," found
	done
	keep run ./plocate --count --ignore-case --database "$PWD/db" ALPHA
	keep run ./plocate --regex --database "$PWD/db" 'dir[0-9]*/(alpha|beta)-[12]\.txt$'
	sed -i "s,$PWD,,g" "$COMPAT_RESULT"
}

begin "$@"
trial find_all "updatedb, plocate with and without --existing" "library trap ringd-run" "process container enosys"
finish
