#!/bin/sh
# Restore a database from its base backups and archived WAL ($ARCHIVE, default /archive) into an empty folder.
#
#   restore.sh PGDATA [TIME]     TIME in UTC, such as 2026-03-04T06:45:00Z; left out: all that was archived
#
# Then start PostgreSQL on PGDATA: it replays the WAL and, at the end or at TIME, opens for writing.
# Afterwards: carbonmeter migrate, carbonmeter verify; gateways send again what has no receipt or PUBACK.
set -eu
[ $# -ge 1 ] && [ $# -le 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$1
time=${2:-}
archive=$(cd "${ARCHIVE:-/archive}" && pwd)
if [ -d "$data" ] && [ -n "$(ls -A "$data")" ]; then
    echo "restore: $data isn't empty; restore into an empty folder, never over a database" >&2
    exit 1
fi

digits=99999999999999
case $time in
    '') ;;
    [0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z) digits=$(echo "$time" | tr -cd 0-9) ;;
    *) echo "restore: TIME must look like 2026-03-04T06:45:00Z, not '$time'" >&2; exit 2 ;;
esac
# The newest backup that ended by then: backups are named by their end, in UTC.
chosen=
for folder in $(ls -1 "$archive/base" | sort); do
    [ "$(echo "$folder" | tr -cd 0-9)" -gt "$digits" ] || chosen=$folder
done
[ -n "$chosen" ] || { echo "restore: no base backup in $archive/base${time:+ from before $time}" >&2; exit 1; }

echo "restore: from $chosen${time:+ to $time}"
pg_verifybackup --quiet "$archive/base/$chosen"
mkdir -p "$data"
cp -a "$archive/base/$chosen/." "$data/"
chmod 700 "$data"
{
    echo "restore_command = 'cp \"$archive/wal/%f\" \"%p\"'"
    echo "recovery_target_action = 'promote'"
    if [ -n "$time" ]; then echo "recovery_target_time = '$(echo "$time" | tr T ' ' | tr -d Z)+00'"; else echo "recovery_target_timeline = 'latest'"; fi
} >> "$data/postgresql.auto.conf"
touch "$data/recovery.signal"
sync
echo "restore: start PostgreSQL on $data; then carbonmeter migrate, carbonmeter verify"
