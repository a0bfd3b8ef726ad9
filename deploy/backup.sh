#!/bin/sh
# A base backup into $ARCHIVE/base (default /archive/base), verified; old ones and the WAL before them are removed.
#
#   backup.sh [KEEP]        how many base backups to keep, default 7
#
# Runs as the account of the server, which writes the same archive, and connects as PG* variables say (PGUSER …). With the archived WAL a backup restores to any moment after it
# (restore.sh). In compose:
#   docker compose exec --user postgres -e PGUSER=carbonmeter database /deploy/backup.sh
set -eu
keep=${1:-7}
case $keep in '' | *[!0-9]* | 0) echo "backup: KEEP must be a number above 0, not '$keep'" >&2; exit 2 ;; esac
archive=${ARCHIVE:-/archive}
mkdir -p "$archive/base"

# One at a time: two at once would remove each other's remains.
lock=$archive/base/.lock
if ! mkdir "$lock" 2>/dev/null; then
    echo "backup: another backup runs, or one died: remove $lock if none does" >&2
    exit 1
fi
part=$archive/base/.part
rm -rf "$part"
trap 'rm -rf "$part"; rmdir "$lock"' EXIT
trap 'exit 1' INT TERM HUP

pg_basebackup --pgdata="$part" --format=plain --wal-method=stream --checkpoint=fast --manifest-checksums=SHA256
pg_verifybackup --quiet "$part"
sync
# Named by its end: it serves for every later moment. Names sort by time.
name=$(date -u +%Y%m%dT%H%M%SZ)
mv "$part" "$archive/base/$name"
sync "$archive/base"

ls -1 "$archive/base" | sort -r | tail -n +"$((keep + 1))" | while read -r old; do
    echo "backup: removing $old"
    rm -rf "${archive:?}/base/$old"
done
# WAL from before the oldest backup kept is of no more use.
oldest=$(ls -1 "$archive/base" | sort | head -n 1)
first=$(sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]*\))$/\1/p' "$archive/base/$oldest/backup_label")
[ -n "$first" ] && pg_archivecleanup "$archive/wal" "$first"
echo "backup: done, $(du -sh "$archive/base/$name" | cut -f1); WAL is kept from $first on"
