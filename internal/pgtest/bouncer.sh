# bouncer.sh PGBOUNCER CONFIG: a PgBouncer that lasts as long as standard input does.
umask 077
folder=$(mktemp -d "${TMPDIR:-/tmp}/lethe-pgbouncer-XXXXXX" 2>/dev/null || mktemp -d /tmp/lethe-pgbouncer-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
trap '' INT HUP # of the terminal: what ends us is the end of the input
printf '%s\n' "$2" >"$folder/pgbouncer.ini"
"$1" "$folder/pgbouncer.ini" >"$folder/log" 2>&1 </dev/null &
bouncer=$!
tries=0
until grep -q 'process up' "$folder/log"; do
	tries=$((tries + 1))
	kill -0 "$bouncer" 2>/dev/null && [ "$tries" -lt 2400 ] || { echo "pgbouncer: $(tail -n 5 "$folder/log" | tr '\n' ' ')"; exit 1; }
	sleep 0.05
done
echo ready
exec >/dev/null 2>&1

# Whatever is read is nothing: nobody writes.
while read -r _; do :; done
kill -KILL "$bouncer" # the signals that end it at once are not the same in each version
wait "$bouncer"
