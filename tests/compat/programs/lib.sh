# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# For tests with programs of the distribution: the same work on the kernel's io_uring and on ringd in the program's own
# process, in an ordinary process and in a container; what a program leaves behind and says must be equal.
#
# A test names its program, has a function for each piece of work, and ends with trials:
#
#   program fio fio					the name, and the package that it is of
#   needs fio					commands without which there is nothing to test
#   fixed() { say run fio ...; keep md5sum file; }
#   begin "$@"
#   trial fixed "registered buffers" "trap"		function, what it does, doors to go through
#   finish
#
# A piece of work runs in a process of its own (this script again, in a container if it is to be in one), in an empty
# directory. Only what stands behind "run" goes through the door. What "say" and "keep" write is compared with the
# kernel's. What went through a door tells at its end what it was served (RINGD_REPORT): there must be rings and requests
# in each piece of work, so that no program passes that has gone on without io_uring.
#
# Where the kernel has no io_uring for us, as in most containers, there is nothing to compare with: then the work must
# succeed through the first door, data verified, and the other doors and places are compared with that.
#
# Doors: "kernel" (none), "library" (liburing.so.2 by LD_LIBRARY_PATH), "trap" (libringd-trap.so by LD_PRELOAD), "ringd-run"
# (which chooses).
# Places: "process", "container" (confine --namespaces; io_uring answers EPERM), "enosys" (the same with ENOSYS), "podman"
# (in-podman.sh).
#
# RINGD_DOORS: the doors to try (library trap ringd-run). RINGD_COMPAT_RESULTS: where lines for doc/COMPATIBILITY.md go.
# RINGD_COMPAT_PLACES, RINGD_COMPAT_TRIALS: only these; "sysctl" is an ordinary process while kernel.io_uring_disabled is 2.

set -u
: "${abs_top_builddir:?run me by make check}"
PATH=$PATH:/usr/sbin:/sbin	# servers are there, and not everybody's path is

program_name= program_package=
failures=0
LEAST_KERNEL=6.1	# whose io_uring has what the programs of Debian 12 use
tried=0

ok()
{
	echo "ok - $*"
}

fail()
{
	echo "not ok - $*"
	failures=$((failures + 1))
}

skip_all()
{
	echo "SKIP: $*"
	exit 77
}

program()
{
	program_name=$1
	program_package=$2
}

needs()
{
	local command
	for command; do
		command -v "$command" >/dev/null || skip_all "no $command here (package $program_package)"
	done
}

# --- inside: a piece of work ---

# What is said depends on the time, the place and the load, but for what stands on other lines than these.
: "${VOLATILE:=^\$}"

# run PROGRAM...: it goes through the door. Nothing else may: what the door does to a shell is another test.
run()
{
	local limit=(timeout -k 10 "${RUN_LIMIT:-300}") report
	if [ "$COMPAT_DOOR" = kernel ]; then
		"${limit[@]}" "$@"
		return
	fi
	# whoever the program becomes must be able to write to it
	report=$(mktemp "$COMPAT_REPORTS/XXXXXX") && chmod 666 "$report" || return 99
	case $COMPAT_DOOR in
	library) "${limit[@]}" env RINGD_REPORT="$report" LD_LIBRARY_PATH="$COMPAT_DOORS" "$@" ;;
	trap) "${limit[@]}" env RINGD_REPORT="$report" LD_PRELOAD="$COMPAT_DOORS/libringd-trap.so" "$@" ;;
	ringd-run) "${limit[@]}" env RINGD_LIBDIR="$COMPAT_DOORS" "$COMPAT_DOORS/ringd-run" --report="$report" "$@" ;;
	esac
}

# say COMMAND...: what it says, without the lines that match $VOLATILE, and its status are to be equal
say()
{
	local status
	"$@" >said.out 2>said.err
	status=$?
	grep -avE -e "$VOLATILE" said.out >>"$COMPAT_RESULT"
	grep -avE -e "$VOLATILE" said.err | sed 's/^/err: /' >>"$COMPAT_RESULT"
	echo "status: $status" >>"$COMPAT_RESULT"
	# for whoever looks at a failure
	echo "+ $*" && cat said.out said.err && echo "status: $status"
	return "$status"
}

# keep COMMAND...: what it writes is to be equal, whatever the program
keep()
{
	"$@" >>"$COMPAT_RESULT" 2>&1 || echo "keep: status $?: $*" >>"$COMPAT_RESULT"
}

# must COMMAND...: or the work has failed
must()
{
	local status
	"$@"
	status=$?
	[ "$status" -eq 0 ] && return 0
	echo "must: status $status: $*"
	exit 1
}

# await PID COMMAND...: until it succeeds, or the process is gone
await()
{
	local pid=$1
	shift
	until "$@" >/dev/null 2>&1; do
		kill -0 "$pid" 2>/dev/null || { echo "await: $pid is gone: $*"; return 1; }
		sleep 0.02
	done
}

# --- outside: trials ---

# The doors' libraries, where everybody may read them, whatever the build tree allows.
find_doors()
{
	local from name
	mkdir -m 755 "$tmp/doors"
	for name in libringd-local.so.0 liburing.so.2 liburing-ffi.so.2 libringd-trap.so; do
		for from in "${RINGD_DOORS_FROM:-$abs_top_builddir/.libs}" "$abs_top_builddir"/client-lib/compat/.libs; do
			[ -e "$from/$name" ] && cp -L "$from/$name" "$tmp/doors/" && break
		done
	done
	cp -L "$abs_top_builddir/ringd-run/ringd-run" "$tmp/doors/"
}

have_door()
{
	case " ${RINGD_DOORS:-library trap ringd-run} " in *" $1 "*) ;; *) return 1 ;; esac
	case $1 in
	ringd-run) [ -e "$tmp/doors/ringd-run" ] ;;
	library) [ -e "$tmp/doors/liburing.so.2" ] ;;
	trap) [ -e "$tmp/doors/libringd-trap.so" ] ;;
	esac
}

cleanup()
{
	local status=$?
	chmod -R u+rwx "$tmp" 2>/dev/null
	rm -rf "$tmp"
	exit "$status"
}

sysctl_file=/proc/sys/kernel/io_uring_disabled

# However this script ends, the old value comes back: the pipe's other end is closed then. Whoever kills all of a process group
# does not reach this.
guard_sysctl()
{
	local old
	[ -e $sysctl_file ] || skip_all "this kernel has no kernel.io_uring_disabled"
	[ "$(id -u)" -eq 0 ] || skip_all "only root may write kernel.io_uring_disabled"
	old=$(cat $sysctl_file)
	[ "$old" = 0 ] || skip_all "kernel.io_uring_disabled is $old already"
	(echo 0 >$sysctl_file) 2>/dev/null || skip_all "kernel.io_uring_disabled cannot be written here"
	[ -z "$no_kernel" ] || skip_all "$no_kernel"
	mkfifo "$tmp/guard"
	setsid "$BASH" -c 'trap "" INT TERM HUP; cat "$1"; echo 0 >"$2"' guard "$tmp/guard" $sysctl_file >/dev/null 2>&1 &
	exec 9>"$tmp/guard"
}

# compare: whether the kernel's io_uring can be had, and has what the programs of Debian 12 use of it; else it says why not
compare()
{
	local kernel
	kernel=$(uname -r | grep -o '^[0-9]*\.[0-9]*')
	if [ "$(printf '%s\n' "$LEAST_KERNEL" "$kernel" | sort -V | head -n 1)" != "$LEAST_KERNEL" ]; then
		no_kernel="Linux $(uname -r) is older than what the programs were made for"
	elif ! (cd "$tmp" && timeout 300 "$abs_top_builddir/tests/compat/uringapp" buffers >/dev/null 2>&1); then
		no_kernel="the kernel's io_uring is not to be had here"
	fi
	rm -f "$tmp/buffers"
	[ -z "$no_kernel" ] || echo "# not compared with the kernel: $no_kernel"
}

# begin "$@": either this is a piece of work, or what follows are trials
begin()
{
	if [ "${1-}" = inside ]; then
		cd "$3" || exit 99
		"$2"
		exit
	fi
	[ -z "${RINGD_SANITIZERS-}" ] || skip_all "a program that is not ours cannot load libraries with sanitizers"
	tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/ringd-compat.XXXXXX") || exit 99
	trap cleanup EXIT
	trap 'exit 99' INT TERM
	no_kernel=
	compare
	confine=$abs_top_builddir/tests/compat/confine
	find_doors
	version=$(dpkg-query -W -f '${Version}' "$program_package" 2>/dev/null) || version=unknown
	results=${RINGD_COMPAT_RESULTS:-$abs_top_builddir/tests/compat/results}
	mkdir -p "$results"
	results=$results/$(basename "$0" .sh)${RINGD_COMPAT_PLACES:+-$RINGD_COMPAT_PLACES}
	: >"$results"
	[ "${RINGD_COMPAT_PLACES-}" != sysctl ] || guard_sysctl
	no_container=
	"$confine" --namespaces -- true 2>"$tmp/confine.err" || no_container=$(cat "$tmp/confine.err")
	# inside there is one user only, and it is not root outside
	chmod 755 "$tmp"
}

row()		# row DOOR PLACE WHAT VERDICT
{
	tried=$((tried + 1))
	[ -n "$no_kernel" ] ||
		printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$program_name" "$version" "$1" "$2" "$3" "$4" >>"$results"
}

# work FUNCTION DOOR PLACE: status of the work; its directory is $work
work()
{
	local place=() status
	work=$tmp/$1-$2-$3
	mkdir "$work" "$work.reports"
	case $3 in
	container) place=("$confine" --namespaces --) ;;
	enosys) place=("$confine" --namespaces --errno=ENOSYS --) ;;
	podman) place=("$abs_top_srcdir/tests/compat/in-podman.sh" "$tmp") ;;
	esac
	[ "$3" != sysctl ] || echo 2 >$sysctl_file
	COMPAT_DOOR=$2 COMPAT_DOORS=$tmp/doors COMPAT_PLACE=$3 COMPAT_RESULT=$work.result COMPAT_REPORTS=$work.reports \
		timeout -k 10 "${WORK_LIMIT:-600}" ${place[@]+"${place[@]}"} "$BASH" "$0" inside "$1" "$work" \
		>"$work.log" 2>&1 </dev/null 9>&-
	status=$?
	[ "$3" != sysctl ] || echo 0 >$sysctl_file
	return $status
}

show()
{
	echo "# $1, the end of its output:"
	tail -n 40 "$work.log" | sed 's/^/#   /'
}

# served: what the work had of ringd; fails if it had nothing, or something of the kernel's io_uring
served()
{
	cat "$work.reports"/* 2>/dev/null | awk -F'[ ,;]+' -v least="${SERVED_LEAST:-1}" '
		/^rings: / { rings += $2; requests += $12; if ($15 != "sync") other = 1 }
		END {
			printf "%d rings, %d requests", rings, requests
			exit !(rings > 0 && requests >= least && !other)
		}'
}

# try FUNCTION WHAT DOOR PLACE: compared with the result that is there
try()
{
	local status had against="the kernel"
	[ -z "$no_kernel" ] || against="through the first door"
	work "$1" "$3" "$4"
	status=$?
	if [ "$status" -ne 0 ]; then
		fail "$2 ($3, $4): status $status"
		show "$3, $4"
		row "$3" "$4" "$2" FAILED
	elif ! had=$(served); then
		fail "$2 ($3, $4): ringd has served only $had"
		show "$3, $4"
		row "$3" "$4" "$2" UNSERVED
	elif [ ! -e "$tmp/$1.reference" ]; then
		ok "$2 ($3, $4): $had"
		row "$3" "$4" "$2" done
		mv "$work.result" "$tmp/$1.reference"
	elif ! diff -u "$tmp/$1.reference" "$work.result" >"$tmp/diff"; then
		fail "$2 ($3, $4): not as ${against}"
		sed 's/^/#   /' "$tmp/diff" | head -n 60
		show "$3, $4"
		row "$3" "$4" "$2" DIFFERS
	else
		ok "$2 ($3, $4): $had"
		row "$3" "$4" "$2" equal
	fi
	rm -rf "$work" "$work.reports"
}

wanted()
{
	[ -z "${RINGD_COMPAT_TRIALS-}" ] && return
	case " $RINGD_COMPAT_TRIALS " in *" $1 "*) return 0 ;; esac
	return 1
}

# Not every file system reads and writes without the page cache: tmpfs did not until Linux 6.6.
has_direct()
{
	local status
	dd if=/dev/zero of="$tmp/direct" bs=4096 count=1 oflag=direct status=none 2>/dev/null
	status=$?
	rm -f "$tmp/direct"
	[ "$status" -eq 0 ] || echo "# no O_DIRECT in $tmp: what needs it is left out"
	return "$status"
}

# trial FUNCTION WHAT DOORS [PLACES]: on the kernel, then through each door in each place
trial()
{
	local function=$1 what=$2 doors=$3 places=${RINGD_COMPAT_PLACES:-${4:-process container}} door place
	wanted "$function" || return 0
	if [ -z "$no_kernel" ]; then
		if ! work "$function" kernel process; then
			fail "$what (kernel): the test itself does not work"
			show kernel
			return
		fi
		mv "$work.result" "$tmp/$function.reference"
		rm -rf "$work" "$work.reports"
	fi
	for place in $places; do
		if [ "$place" = container ] || [ "$place" = enosys ] && [ -n "$no_container" ]; then
			echo "# $what: not in a container: $no_container"
			continue
		fi
		for door in $doors; do
			have_door "$door" || continue
			try "$function" "$what" "$door" "$place"
		done
	done
}

# refused FUNCTION WHAT: with no door the kernel refuses it there; else the trials prove nothing
refused()
{
	local place=container
	wanted "$1" || return 0
	case " ${RINGD_COMPAT_PLACES-container} " in
	*" sysctl "*) place=sysctl ;;
	*" podman "*) place=podman ;;
	*" container "*) [ -z "$no_container" ] || return 0 ;;
	*) return 0 ;;
	esac
	[ -e "$tmp/$1.reference" ] || return 0
	if work "$1" kernel "$place" && diff -q "$tmp/$1.reference" "$work.result" >/dev/null; then
		fail "$2: works there without a door ($place)"
	else
		ok "$2: refused without a door ($place)"
		row kernel "$place" "$2" refused
	fi
	rm -rf "$work" "$work.reports"
}

finish()
{
	[ "$failures" -eq 0 ] || exit 1
	[ "$tried" -gt 0 ] || skip_all "no door is built, and no container can be made"
	exit 0
}
