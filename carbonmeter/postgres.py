"""A PostgreSQL server of our own: made, started and stopped from its binaries, on a Unix socket alone.

Used for the embedded database, and by the tests for the servers that they break. PostgreSQL refuses to run as
root; started by root it runs under an account of its own, made where there is none.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from domain.errors import Refused

SUPERUSER = "carbonmeter"
PORT = 5432  # names the socket file; nothing listens on TCP
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
# A socket's path has at most 107 bytes; its name in the folder, with the slash, takes 14.
SOCKET_FOLDER_BYTES_MAX = 93


@dataclass(frozen=True, slots=True)
class Account:
    """The system account that a server runs under, where we are root."""

    name: str
    uid: int
    gid: int


def account_for(name: str) -> Account | None:
    """The account for a server: None for an ordinary user's own; as root the named one, made if missing."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent"]
        command += ["--shell", shutil.which("nologin") or "/bin/false", name]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
            entry = pwd.getpwnam(name)
        except (OSError, subprocess.CalledProcessError, KeyError) as error:
            detail = str(getattr(error, "stderr", "") or error).strip()
            raise Refused(
                f"PostgreSQL doesn't run as root, and the account {name!r} for it couldn't be made"
                f" ({detail}); start carbonmeter as an ordinary user"
            ) from error
    return Account(name, entry.pw_uid, entry.pw_gid)


def open_the_way(path: Path) -> None:
    """Let the server's account pass through the folders above `path` (no more than pass: o+x)."""
    for folder in path.resolve().parents:
        permissions = folder.stat().st_mode
        if not permissions & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(permissions) | stat.S_IXOTH)


def open_to_all(folder: Path) -> None:
    """Let the server's account read a folder of programs (o+r, and o+x where the owner has x)."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            permissions = stat.S_IMODE(path.stat().st_mode)
            path.chmod(permissions | stat.S_IROTH | (stat.S_IXOTH if permissions & stat.S_IXUSR else 0))


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server: its binaries, its folders and its settings (`name: value` of postgresql.conf)."""

    binaries: Path
    data: Path
    socket_folder: Path
    log: Path
    settings: Mapping[str, str]
    account: Account | None = None

    def url(self, database: str = "postgres") -> str:
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={PORT}"

    def create(self, *, sync: bool = True) -> None:
        """Make the data folder; whole or not at all. Harmless where it is there."""
        if (self.data / "PG_VERSION").exists():
            return
        fresh = self.data.with_name(self.data.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700, parents=True)
        self._open_to_account(fresh)
        command = [
            str(self.binaries / "initdb"),
            "-D",
            str(fresh),
            "--username",
            SUPERUSER,
            "--auth",
            "trust",
        ]
        # Plain byte order: texts sort alike on every machine.
        command += [
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-instructions",
            *([] if sync else ["--no-sync"]),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False, **self._identity())
        if result.returncode:
            raise Refused(f"initdb failed in {fresh}:\n{result.stderr.strip() or result.stdout.strip()}")
        fresh.rename(self.data)

    def launch(self, prepare: Callable[[], None] | None = None) -> subprocess.Popen[bytes]:
        """Start the server; it may not answer yet (see `wait_until_ready`).

        It gets a session of its own: a Ctrl-C at our terminal isn't meant for it. `prepare` runs in the new
        process before it becomes the server.
        """
        self._make_socket_folder()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "port": str(PORT),
            **self.settings,
        }
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("ab") as log:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.data,
                preexec_fn=prepare,
                **self._identity(),
            )
        return process

    def wait_until_ready(self, process: subprocess.Popen[bytes] | None = None) -> None:
        """Wait until it takes connections; Refused with the end of its log where it doesn't."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if process is not None and process.poll() is not None:
                    raise Refused(f"PostgreSQL didn't start in {self.data}:\n{self.log_tail()}") from error
                if time.monotonic() > deadline:
                    raise Refused(
                        f"PostgreSQL in {self.data} takes no connections after {START_TIMEOUT_S:g} s:"
                        f" {error}\n{self.log_tail()}"
                    ) from error
            time.sleep(0.02)

    def is_ready(self, database: str) -> bool:
        try:
            psycopg.connect(self.url(database), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def log_tail(self) -> str:
        try:
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])
        except OSError:
            return ""

    def _make_socket_folder(self) -> None:
        self.socket_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open_to_account(self.socket_folder)
        # It may lie where everybody can write: nobody else may have put a folder of his own there.
        status = self.socket_folder.lstat()
        owner = self.account.uid if self.account else os.geteuid()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner or status.st_mode & 0o077:
            raise Refused(f"{self.socket_folder} must be a folder of the server's account alone (mode 0700)")

    def _open_to_account(self, folder: Path) -> None:
        if self.account:
            os.chown(folder, self.account.uid, self.account.gid)
            open_the_way(folder)
            open_the_way(self.binaries / "postgres")
            if (
                not (self.binaries / "postgres").stat().st_mode & stat.S_IXOTH
            ):  # installed with a strict umask
                open_to_all(self.binaries.parent)

    def _identity(self) -> dict[str, Any]:
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server at once but cleanly (open transactions are rolled back, what is committed is on disk)."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue
