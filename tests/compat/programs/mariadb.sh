#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A MariaDB server, which links liburing: clients load it, it is killed in the middle, recovers, and nothing that was
# acknowledged is lost. Its log says whether InnoDB has io_uring; it would go on without.
. "$(dirname "$0")/lib.sh"
program mariadbd mariadb-server-core
needs mariadbd mariadb-install-db mariadb
SERVED_LEAST=100
CLIENTS="1 2 3 4"
ROUNDS=150

sql()
{
	timeout 300 mariadb --no-defaults --socket=s --user=root --batch --skip-column-names "$@"
}

# A small pool, so that pages are written and read again all the time. A slow machine is no reason to give up.
serve()
{
	local user=()
	[ "$(id -u)" -ne 0 ] || user=(--user=root)
	rm -f s pid
	run mariadbd --no-defaults --datadir="$PWD/data" --socket="$PWD/s" --pid-file="$PWD/pid" --skip-networking \
		--log-error="$PWD/error.log" --innodb-buffer-pool-size=8M --innodb-log-file-size=8M \
		--innodb-temp-data-file-path=ibtmp1:1M:autoextend --skip-name-resolve --connect-timeout=600 \
		--net-read-timeout=600 --net-write-timeout=600 --innodb-lock-wait-timeout=600 "${user[@]}" >server.log 2>&1 &
	server=$!
	await "$server" sql -e 'DO 1' || { cat server.log error.log; return 1; }
}

ended()
{
	wait "$server"
	echo "server: $?" >>"$COMPAT_RESULT"
}

create()
{
	mariadb-install-db --no-defaults --datadir="$PWD/data" --auth-root-authentication-method=normal --skip-test-db \
		--skip-name-resolve --user="$(id -un)" --innodb-log-file-size=8M >install.log 2>&1 || { cat install.log; return 1; }
	serve || return 1
	sql <<'SQL' || return 1
CREATE DATABASE bank;
USE bank;
CREATE TABLE account (id INT PRIMARY KEY, balance BIGINT NOT NULL) ENGINE=InnoDB;
CREATE TABLE journal (client INT, n INT, data LONGBLOB NOT NULL, crc BIGINT NOT NULL, PRIMARY KEY (client, n), KEY (crc))
	ENGINE=InnoDB;
INSERT INTO account SELECT seq, 1000 FROM seq_1_to_100;
DELIMITER //
CREATE PROCEDURE transfer(IN who INT, IN i INT)
BEGIN
	DECLARE a INT DEFAULT 1 + (who * 31 + i * 7) MOD 50;
	DECLARE text LONGBLOB DEFAULT REPEAT(MD5(who * 1000000 + i), 50 + i MOD 400);
	START TRANSACTION;
	UPDATE account SET balance = balance - i WHERE id = a;
	UPDATE account SET balance = balance + i WHERE id = a + 50;
	INSERT INTO journal VALUES (who, i, text, CRC32(text));
	COMMIT;
END//
SQL
}

# client N FROM COUNT: each line of acked-N is a transaction that was committed
client()
{
	local i
	for ((i = $2; i < $2 + $3; i++)); do
		echo "CALL transfer($1, $i); SELECT $i;"
	done | sql --unbuffered bank >>"acked-$1" 2>>"errors-$1"
}

# Whatever was going on: no money is lost, each entry is whole, the tables are sound.
sound()
{
	sql bank -e 'SELECT SUM(balance) FROM account; SELECT COUNT(*) FROM journal WHERE crc != CRC32(data);
		SELECT COUNT(*) FROM journal WHERE data != REPEAT(MD5(client * 1000000 + n), 50 + n MOD 400);
		CHECK TABLE account EXTENDED; CHECK TABLE journal EXTENDED'
}

# Each acknowledged entry that is missing.
missing()
{
	local c
	for c in $CLIENTS; do
		sql bank -e "SELECT n FROM journal WHERE client = $c" | sort >"there-$c"
		sort "acked-$c" | comm -23 - "there-$c"
	done
}

# How often InnoDB said that it has io_uring, and what it complained of: errors, and what it cannot do; not how long something
# took.
logged()
{
	grep -c 'InnoDB: Using io_uring' error.log
	grep -E '\[ERROR\]|\[Warning\].*(io_uring|native AIO|checksum|corrupt)' error.log | sed 's/^[0-9-]* *[0-9:]* [0-9]* //'
	true
}

load()
{
	local c clients=()
	create || return 1
	for c in $CLIENTS; do
		client "$c" 0 $ROUNDS &
		clients+=($!)
	done
	wait "${clients[@]}"
	cat errors-*
	keep missing
	keep sound
	keep sql bank -e 'SELECT COUNT(*), SUM(n), SUM(crc) FROM journal; CHECKSUM TABLE account, journal'
	# read back all that does not fit the pool, in the order of another key
	keep sql bank -e 'SELECT BIT_XOR(CRC32(data)) FROM journal FORCE INDEX (crc)'
	keep sql bank -e 'ALTER TABLE journal ROW_FORMAT=COMPRESSED; SELECT SUM(CRC32(data)) FROM journal'
	keep sql -e SHUTDOWN
	ended
	serve || return 1
	keep sound
	keep sql -e SHUTDOWN
	ended
	keep logged
	cat error.log
}

enough()
{
	local c
	for c in $CLIENTS; do
		[ "$(wc -l <"acked-$c")" -ge "$1" ] || return 1
	done
}

crash()
{
	local c clients round
	create || return 1
	touch acked-1 acked-2 acked-3 acked-4
	for round in 0 1; do
		clients=()
		for c in $CLIENTS; do
			client "$c" $((round * 100000)) 100000 &
			clients+=($!)
		done
		await "$server" enough $((40 + round * 60))
		kill -9 "$(cat pid)"
		ended
		wait "${clients[@]}"
		serve || return 1
		keep missing
		keep sound
	done
	keep sql -e SHUTDOWN
	ended
	keep logged
	cat error.log
}

begin "$@"
trial load "four clients, transactions, checksums, restart" "library trap ringd-run" "process container enosys"
refused load "four clients, transactions, checksums, restart"
trial crash "killed twice under load, recovery, CHECK TABLE" "library trap"
finish
