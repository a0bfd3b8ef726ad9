#!/bin/sh
# PostgreSQL's archive_command: archive-wal.sh %p %f, into $ARCHIVE/wal (default /archive/wal).
#
# A segment is archived when it is on disk there whole: written beside, synced, then renamed. PostgreSQL asks again
# after a crash, so the same segment a second time is fine; another one under its name is refused.
set -eu
source=$1
name=$2
folder=${ARCHIVE:-/archive}/wal
mkdir -p "$folder"
if [ -e "$folder/$name" ]; then
    cmp -s "$source" "$folder/$name" && exit 0
    echo "archive-wal: $folder/$name exists and differs from $source" >&2
    exit 1
fi
cp "$source" "$folder/.$name.part"
sync "$folder/.$name.part"
mv "$folder/.$name.part" "$folder/$name"
sync "$folder"
