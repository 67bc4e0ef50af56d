# SPDX-License-Identifier: GPL-2.0-or-later
# Input: lines of CF_RESULTS (file, numbers, name, back end, result, words, text). Output: the tables of doc/CONFORMANCE.md.

function cell(s)
{
	gsub(/\|/, "\\|", s)
	gsub(/</, "\\<", s)
	return s
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

# reasons(key): why the result is not "pass", each reason once, with whom it is about
function reasons(key,	n, i, j, r, w, who, said, list, why)
{
	split("kernel sync uring local", list, " ")
	n = 0
	for (i = 1; i <= 4; i++) {
		r = result[key, list[i]]
		w = words[key, list[i]]
		if (r == "pass" || w == "")
			continue
		for (j = 1; j <= n && said[j] != w; j++)
			;
		if (j > n)
			said[++n] = w
		who[j] = who[j] (who[j] == "" ? "" : ", ") (list[i] == "local" ? "in-process" : list[i])
	}
	why = ""
	for (j = 1; j <= n; j++) {
		sub(/sync, uring/, "service", who[j])
		why = why (j == 1 ? "" : "; ") who[j] ": " cell(said[j])
	}
	return why
}

function show(key,	i, r, line, list)
{
	line = "| " all[key] " | " cell(text[key]) " |"
	split("kernel sync uring local", list, " ")
	for (i = 1; i <= 4; i++) {
		r = result[key, list[i]]
		line = line " " (r == "" ? "-" : r == "fail" ? "**fail**" : r) " |"
	}
	print line " " reasons(key) " |"
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
	print "| | kernel | service, sync | service, uring | in-process |"
	print "|---|---:|---:|---:|---:|"
	split("pass differs skip fail", kinds, " ")
	for (i = 1; i <= 4; i++)
		printf "| %s | %d | %d | %d | %d |\n", kinds[i], count["kernel", kinds[i]], count["sync", kinds[i]],
			count["uring", kinds[i]], count["local", kinds[i]]
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
