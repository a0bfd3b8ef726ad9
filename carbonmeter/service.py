"""One service of a server, as a process of its own: `python -m carbonmeter.service NAME`, one of `services.NAMES`.

Started by the supervisor with the settings in its environment; ends on SIGTERM.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading

from carbonmeter.services import REFUSED
from carbonmeter.settings import Settings, load
from domain.errors import CarbonmeterError, Refused


def _ingest(settings: Settings, database_url: str, _place: int) -> int:
    from ingest.run import main

    return REFUSED if main(settings.ingest(database_url)) else 0


def _accounting(settings: Settings, database_url: str, place: int) -> int:
    from accounting.run import main

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    main(settings.accounting(database_url, place), stop)
    return 0


def _publisher(settings: Settings, database_url: str, _place: int) -> int:
    from carbonmeter.publisher import main
    from carbonmeter.signing_keys import SigningKeys

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    folder = settings.signing_keys_folder
    main(settings.api(database_url), SigningKeys(folder), folder, stop)
    return 0


def _api(settings: Settings, database_url: str, _place: int) -> int:
    from carbonmeter.api_service import main

    main(settings, database_url)
    return 0


# Each imports its room when it is asked for: a process holds no other room's libraries. The last argument: which of
# several workers it is, from 0; the process's name counts from 1.
_SERVICES = {"ingest": _ingest, "accounting": _accounting, "publisher": _publisher, "api": _api}


def main() -> int:
    name = sys.argv[1]
    try:
        settings = load()
        logging.basicConfig(
            level=settings.log_level.upper(),
            format=f"%(asctime)s {name} %(levelname)s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        if settings.database is None:
            raise Refused("a service is told its database by the supervisor; use `carbonmeter serve`")
        room, _, number = name.partition("-")
        return _SERVICES[room](settings, settings.database, int(number or 1) - 1)
    except (CarbonmeterError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
