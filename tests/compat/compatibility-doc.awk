# SPDX-License-Identifier: GPL-2.0-or-later
# Lines of program, version, door, place, what, result: a table for each program, a line for each piece of work and door.
function cell(place,	result) {
	result = results[key, place]
	return (result ~ /^(equal|refused|)$/) ? result : "**" result "**"
}

{
	if (!($1 in versions)) {
		versions[$1] = $2
		programs[++n] = $1
	}
	door = $3 == "kernel" ? "none" : $3
	key = $1 SUBSEP $5 SUBSEP door
	if (!(key in seen)) {
		seen[key] = 1
		keys[$1, ++count[$1]] = key
	}
	results[key, $4] = $6
}

END {
	for (i = 1; i <= n; i++) {
		p = programs[i]
		print "\n## " p " " versions[p] "\n"
		print "| What | door | process | container | ENOSYS | sysctl | Podman |"
		print "|---|---|---|---|---|---|---|"
		for (j = 1; j <= count[p]; j++) {
			key = keys[p, j]
			split(key, part, SUBSEP)
			printf "| %s | %s | %s | %s | %s | %s | %s |\n", part[2], part[3], cell("process"),
				cell("container"), cell("enosys"), cell("sysctl"), cell("podman")
		}
	}
}
