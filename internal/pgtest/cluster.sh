# cluster.sh PROGRAMS: runs a line of shell at a time, read from standard input, and takes down all servers in its folder when that ends.
bin=$1
umask 077
folder=$(mktemp -d "${TMPDIR:-/tmp}/lethe-cluster-XXXXXX" 2>/dev/null || mktemp -d /tmp/lethe-cluster-XXXXXX) || exit 1
cd "$folder" || exit 1
trap '' INT HUP # of the terminal: what ends us is the end of the input

finish() {
	for data in "$folder"/*/postmaster.pid; do
		[ -f "$data" ] && "$bin/pg_ctl" -D "${data%/*}" -m immediate -w stop >/dev/null 2>&1 </dev/null
	done
	cd /
	rm -rf "$folder"
}
trap finish EXIT

echo ready
while read -r line; do
	(eval "$line") >"$folder/out" 2>&1 </dev/null
	echo "$? $(tr '\n' ' ' <"$folder/out" | tail -c 1500)"
done
