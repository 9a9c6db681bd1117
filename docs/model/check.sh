#!/usr/bin/env bash
# Checks both models exhaustively, then every mutant of them, which must yield a counterexample, and every known price, which
# must too. Two searches at a time; needs spin and a C compiler (Debian: apt-get install spin gcc). Bounds and results: README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

# kind, model, least number of states a search must have seen to count, name, bounds.
runs() {
	cat <<-'END'
		holds fence  2000000 two_readers_two_events           -DREADERS=2 -DEVENTS=2 -DTMAX=1
		holds fence  1000000 three_readers                    -DREADERS=3 -DEVENTS=1 -DTMAX=0
		holds fence  2000000 a_function_that_reads_another    -DREADERS=2 -DKEYS=2 -DEVENTS=1 -DTMAX=0
		holds fence  2000000 end_of_life_and_rotation         -DREADERS=2 -DEVENTS=1 -DTMAX=2 -DLIFE=2
		holds cursor 1000000 partition_lag_and_reconnect      -DPARTITION
		holds cursor 1000000 partition_reconnect_to_an_older_log   -DPARTITION -DOLDER_LOG
		holds cursor 1000000 tail_lost_and_numbers_reused     -DCRASH
		holds cursor 2000000 truncated_at_the_head            -DHEAD
		holds cursor  500000 created_anew                     -DEPOCH -DCUTS=0
		fails fence  0 CLOCK_FIRST              -DREADERS=2 -DEVENTS=2 -DTMAX=1
		fails fence  0 LEASE_LAST               -DREADERS=2 -DEVENTS=2 -DTMAX=1
		fails fence  0 MEMO_AFTER               -DREADERS=2 -DEVENTS=2 -DTMAX=1
		fails fence  0 CLOCK_BEFORE_LEASE       -DREADERS=2 -DEVENTS=2 -DTMAX=1
		fails fence  0 UNLEASED_SHARES          -DREADERS=2 -DEVENTS=1 -DTMAX=1
		fails fence  0 JOIN_UNCHECKED           -DREADERS=2 -DEVENTS=1 -DTMAX=1
		fails fence  0 FLIGHTS_OWN_VERDICT      -DREADERS=2 -DEVENTS=1 -DTMAX=1
		fails fence  0 BORN_REMEMBERED          -DREADERS=2 -DEVENTS=1 -DTMAX=1
		fails fence  0 BORN_LATE                -DREADERS=2 -DEVENTS=1 -DTMAX=1
		fails fence  0 TIME_FIRST               -DREADERS=2 -DEVENTS=1 -DTMAX=2 -DLIFE=2
		fails fence  0 JOIN_BEYOND_REACH        -DREADERS=2 -DEVENTS=1 -DTMAX=2 -DLIFE=2
		fails fence  0 STORE_UNADMITTED         -DREADERS=2 -DEVENTS=1 -DTMAX=2 -DLIFE=2
		fails fence  0 LABELS_STAY              -DREADERS=2 -DKEYS=2 -DEVENTS=1 -DTMAX=1
		fails fence  0 PARENT_BORN_LATE         -DREADERS=2 -DKEYS=2 -DEVENTS=1 -DTMAX=1
		fails fence  0 OWN_EXPIRY               -DREADERS=2 -DKEYS=2 -DEVENTS=0 -DTMAX=2 -DLIFE=2
		fails cursor 0 ONE_FENCE                -DCUTS=0
		fails cursor 0 ACK_WITHOUT_CURSOR       -DCUTS=0
		fails cursor 0 WORD_WITHOUT_CURSOR      -DCUTS=0
		fails cursor 0 WORD_WITHOUT_FEED        -DPARTITION -DCUTS=0
		fails cursor 0 FETCHED_COUNTS_AS_LIVE   -DPARTITION
		fails cursor 0 HELD_COUNTS_AS_LIVE      -DPARTITION -DCUTS=0
		fails cursor 0 FEED_SURVIVES_RECONNECT  -DPARTITION -DOLDER_LOG
		fails cursor 0 DUPLICATE_COUNTS         -DPARTITION -DCUTS=0
		fails cursor 0 AS_OF_THE_ANSWER         -DCUTS=0
		fails cursor 0 HOLE_JUMPED              -DCUTS=0
		fails cursor 0 TIMESTAMPS_UNCOMPARED    -DCRASH
		fails cursor 0 RECONNECT_UNVERIFIED     -DCRASH
		fails cursor 0 FETCH_BEHIND_THE_CURSOR  -DCRASH
		fails cursor 0 LOST_UNHEARD             -DCRASH
		fails cursor 0 HEAD_UNSEEN              -DHEAD
		price cursor 0 PARTITION_AND_DELAY      -DPARTITION
		price cursor 0 CRASH_UNNOTICED          -DCRASH -DCUTS=0
	END
}

# one run, in a folder of its own.
one() {
	local kind=$1 model=$2 floor=$3 name=$4 dir states seconds
	shift 4
	case $kind in
	fails) set -- "$@" "-DMUTANT_$name" ;;
	price) set -- "$@" "-DGAP_$name" ;;
	esac
	if [ "$kind" != holds ] && ! grep -q -- "${*: -1:1}\b" <(sed 's/\(MUTANT_\|GAP_\)/-D\1/g' "$here/$model.pml"); then
		echo "FAILED $model $name: the model knows no such macro"
		return 1
	fi
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' RETURN
	cd "$dir"
	spin -a "$@" "$here/$model.pml" >spin.out 2>&1 || { cat spin.out; return 1; }
	${CC:-gcc} -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM=1900 -o pan pan.c
	./pan -m100000 -w22 >out 2>&1 || { cat out; return 1; }
	states=$(awk '/states, stored/ {print $1}' out)
	seconds=$(awk '/elapsed time/ {print $4}' out)
	if grep -qE 'search depth too small|out of memory|Search not completed.*memory|index' out; then
		cat out
		return 1
	fi
	if [ "$kind" = holds ]; then
		if ! grep -q 'errors: 0' out || [ "$states" -lt "$floor" ]; then
			cat out
			echo "FAILED $model $name"
			return 1
		fi
		printf 'holds   %-7s %-37s %9s states, %s s\n' "$model" "$name" "$states" "${seconds:-0}"
	else
		if ! grep -q 'assertion violated' out; then
			cat out
			echo "FAILED $model $name: no counterexample"
			return 1
		fi
		printf '%-7s %-7s %-37s a counterexample of %s steps\n' "$kind" "$model" "$name" "$(grep -oE 'at depth [0-9]+' out | head -1 | grep -oE '[0-9]+')"
	fi
}

case ${1:-} in
one)
	shift
	one "$@"
	;;
*)
	for tool in spin "${CC:-gcc}"; do
		command -v "$tool" >/dev/null || { echo "$tool is not installed (Debian: apt-get install spin gcc)" >&2; exit 1; }
	done
	runs | xargs -P "${JOBS:-2}" -L 1 "$here/check.sh" one
	echo "every model holds within its bounds, and every mutant was caught"
	;;
esac
