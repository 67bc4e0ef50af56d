# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the scripts have in common that measure two things in turns. A ratio is the median over pairs of runs next to each other;
# which of the two goes first changes from pair to pair. Sourced by bash scripts, which set before:
#
#   pairs seconds dir only patience  how many, how long, where files are, which rows, for how long to wait for a quiet machine
#   how                              to be said of the machine besides, or empty
#   tmp                              a directory of their own
#   rate OPTIONS...                  a function that measures once and prints operations per second
#
# shellcheck disable=SC2154

median()	# numbers on standard input, one a line
{
	sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

quiet()		# is the machine idle, but for a seventh, during a fifth of a second?
{
	local a b
	a=$(head -n 1 /proc/stat); sleep 0.2; b=$(head -n 1 /proc/stat)
	awk -v a="$a" -v b="$b" 'BEGIN {
		split(a, x); split(b, y)
		for (i = 2; i <= 9; i++) all += y[i] - x[i]
		idle = y[5] + y[6] - x[5] - x[6]
		exit !(all > 0 && idle >= all * 6 / 7)
	}'
}

await_quiet()	# until it is, or the deadline (in $SECONDS)
{
	while ((SECONDS < $1)); do
		quiet && return 0
	done
	return 1
}

missed=0
disturbed=0
rows=()
row()		# name, goal in words, "reached" / "missed" / "-", measured, against, ratio
{
	[ "$3" = missed ] && missed=1
	rows+=("| $1 | $4 | $5 | $6 | $2 | $3 |")
	printf '%-46s %14s %14s %9s  %-10s %s\n' "$1" "$4" "$5" "$6" "$2" "${3/-/}"
}

verdict()	# value, relation (>= or <=), limit
{
	awk -v v="$1" -v r="$2" -v l="$3" 'BEGIN { print (r == ">=" ? v + 0 >= l : v + 0 <= l) ? "reached" : "missed" }'
}

wanted()
{
	[ -z "$only" ] || [[ $1 == *"$only"* ]]
}

human()		# ops per second, as ns per op (time) or M/s, k/s
{
	awk -v v="$1" -v w="$2" 'BEGIN {
		if (w == "time") printf "%.0f ns", 1e9 / v
		else if (v >= 1e6) printf "%.2f M/s", v / 1e6
		else printf "%.1f k/s", v / 1e3 }'
}

# pair NAME KIND RELATION GOAL "options of A" "options of B"
# KIND time: ratio of times A/B, rate: ratio of rates A/B. GOAL "-": told, not judged.
pair()
{
	local name=$1 kind=$2 relation=$3 goal=$4 a=$5 b=$6 i ra rb ratio deadline
	wanted "$name" || return 0
	: >"$tmp/a"; : >"$tmp/b"; : >"$tmp/r"
	for ((i = 0; i < pairs; i++)); do
		deadline=$((SECONDS + patience))
		while :; do
			((patience == 0)) || await_quiet "$deadline" || disturbed=$((disturbed + 1))
			# shellcheck disable=SC2086
			if ((i % 2)); then rb=$(rate $b); ra=$(rate $a); else ra=$(rate $a); rb=$(rate $b); fi
			((SECONDS >= deadline)) || quiet && break
		done
		if [ -z "$ra" ] || [ -z "$rb" ] || [ "$ra" = 0 ] || [ "$rb" = 0 ]; then
			row "$name" "$relation $goal" missed "${ra:-failed}" "${rb:-failed}" "-"
			return 0
		fi
		echo "$ra" >>"$tmp/a"; echo "$rb" >>"$tmp/b"
		awk -v a="$ra" -v b="$rb" -v k="$kind" 'BEGIN { print k == "time" ? b / a : a / b }' >>"$tmp/r"
	done
	ra=$(median <"$tmp/a"); rb=$(median <"$tmp/b"); ratio=$(median <"$tmp/r")
	if [ "$goal" = - ]; then
		row "$name" "-" "-" "$(human "$ra" "$kind")" "$(human "$rb" "$kind")" "$(printf %.2f "$ratio")"
	else
		row "$name" "$relation $goal" "$(verdict "$ratio" "$relation" "$goal")" "$(human "$ra" "$kind")" \
			"$(human "$rb" "$kind")" "$(printf %.2f "$ratio")"
	fi
}

# --- the table ---

machine()
{
	printf '%s, %s, %s x %s, %s memory, %s on %s, %s, %s pairs of %s s%s\n' "$(date +%F)" "$(uname -srm)" "$(nproc)" \
		"$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
		"$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" \
		"$(stat -f -c %T "$dir")" "$(df --output=source "$dir" | tail -n 1)" \
		"load $(cut -d ' ' -f 1 /proc/loadavg) at the start" "$pairs" "$seconds" "${how:+, $how}"
}

table()		# what machine() said
{
	printf '%s.\n\n| what | ringd | kernel or other | ratio | goal | |\n|---|---|---|---|---|---|\n' "$1"
	printf '%s\n' "${rows[@]}"
}

# A file with the lines <!-- NAME --> and, after it, <!-- end --> keeps all but what stands between them.
write_markdown()	# file, NAME, what machine() said
{
	if grep -qsF "<!-- $2 -->" "$1"; then
		table "$3" >"$tmp/table"
		awk -v t="$tmp/table" -v mark="<!-- $2 -->" '
			$0 == mark { print; while ((getline line <t) > 0) print line; skip = 1 }
			/^<!-- end -->$/ { skip = 0 }
			!skip { print }' "$1" >"$1.new"
	else
		table "$3" >"$1.new"
	fi && mv "$1.new" "$1"
}
