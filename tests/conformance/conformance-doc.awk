# SPDX-License-Identifier: GPL-2.0-or-later
# Input: lines of CF_RESULTS (file, numbers, name, back end, result, words, text). Output: the tables of doc/CONFORMANCE.md.

function cell(s)
{
	gsub(/\|/, "\\|", s)
	gsub(/</, "\\<", s)
	return s
}

# tell(result, words): a reason of back end b
function tell(b, r, w)
{
	return r == "pass" || w == "" ? "" : b ": " cell(w)
}

{
	key = $1 "\t" $3
	if (!(key in text)) {
		n_numbers = split($2, numbers, " ")
		first[key] = numbers[1]
		all[key] = $2
		text[key] = $7
		name[key] = $3
		rows[numbers[1]] = rows[numbers[1]] key "\n"
		for (i = 1; i <= n_numbers; i++)
			covered[numbers[i]] = covered[numbers[i]] ? covered[numbers[i]] : numbers[1]
		tests++
	}
	result[key, $4] = $5
	words[key, $4] = $6
	count[$4, $5]++
}

function show(key,	b, i, r, why, line, list, seen)
{
	line = "| " all[key] " | " cell(text[key]) " |"
	why = ""
	split("kernel sync uring local", list, " ")
	for (i = 1; i <= 4; i++) {
		b = list[i]
		r = result[key, b]
		line = line " " (r == "" ? "-" : r == "fail" ? "**fail**" : r) " |"
		if (b == "uring" && words[key, b] == words[key, "sync"] && r == result[key, "sync"])
			continue
		seen = tell(b == "sync" && words[key, b] == words[key, "uring"] ? "ringd" : b == "local" ? "in-process" : b, r, words[key, b])
		if (seen != "")
			why = why (why == "" ? "" : "; ") seen
	}
	print line " " why " |"
}

END {
	while ((getline line < untested) > 0) {
		if (line ~ /^[0-9]/) {
			number = line
			sub(/ .*/, "", number)
			sub(/^[0-9]+ /, "", line)
			reason[number] = line
		}
	}
	print ""
	print "| | kernel | ringd sync | ringd uring | in-process |"
	print "|---|---:|---:|---:|---:|"
	split("pass differs skip fail", kinds, " ")
	for (i = 1; i <= 4; i++)
		print "| " kinds[i] " | " count["kernel", kinds[i]] + 0 " | " count["sync", kinds[i]] + 0 " | " count["uring", kinds[i]] + 0 " | " count["local", kinds[i]] + 0 " |"
	head = "| Number | Statement | kernel | sync | uring | in-process | Reason |\n|---:|---|---|---|---|---|---|"
	while ((getline line < statements) > 0) {
		if (line ~ /^## /) {
			print "\n" line "\n\n" head
		} else if (line ~ /^[0-9]/) {
			number = line
			sub(/\..*/, "", number)
			sub(/^[0-9]+\. /, "", line)
			n = split(rows[number], keys, "\n")
			for (i = 1; i < n; i++)
				show(keys[i])
			if (!(number in covered) && (number in reason))
				print "| " number " | " cell(line) " | no test | no test | no test | no test | " cell(reason[number]) " |"
			else if (!(number in covered))
				print "| " number " | " cell(line) " | **none** | **none** | **none** | **none** | |"
			else if (n < 2)
				print "| " number " | " cell(line) " | | | | | see " covered[number] " |"
		}
	}
}
