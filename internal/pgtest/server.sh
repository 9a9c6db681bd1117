# server.sh PROGRAMS PORT: a PostgreSQL server on 127.0.0.1:PORT that lasts as long as standard input does.
programs=$1
port=$2
umask 077
folder=$(mktemp -d "${TMPDIR:-/tmp}/lethe-postgres-XXXXXX" 2>/dev/null || mktemp -d /tmp/lethe-postgres-XXXXXX) || exit 1
trap 'rm -rf "$folder"' EXIT
trap '' INT HUP # of the terminal: what ends us is the end of the input

fail() {
	echo "$1: $(tail -n 5 "$folder/log" | tr '\n' ' ')"
	exit 1
}

"$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync --no-instructions \
	>"$folder/log" 2>&1 </dev/null || fail initdb
"$programs/postgres" -D "$folder/data" -k "$folder" -p "$port" -c listen_addresses=127.0.0.1 -c max_connections=600 \
	-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_prepared_transactions=20 >>"$folder/log" 2>&1 </dev/null &
server=$!
until "$programs/pg_isready" -q -h 127.0.0.1 -p "$port"; do
	kill -0 "$server" 2>/dev/null || fail postgres
	sleep 0.05
done
kill -0 "$server" 2>/dev/null || fail postgres # somebody else's server answers on that port
echo ready
exec >/dev/null 2>&1

# Whatever is read is nothing: nobody writes.
while read -r _; do :; done
kill -QUIT "$server"
wait "$server"
