"""What is simulated, chosen once and stored: seed, dates, faults. Everything else follows from it.

A folder holds one scene and the spools of its gateways. Started again on the same folder, the simulation goes on
where it was, with the same registry document.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from domain.errors import Refused
from domain.interval import Calendar
from simulators.city import CHINA, PARKS, City, plant_entry
from simulators.faults import Faults, register_exchanges, structure
from simulators.gateway import Link
from simulators.plant import Plant
from simulators.run import Simulation

FILE = "scene.json"


@dataclass(frozen=True, slots=True)
class Scene:
    """start_us: local midnight from which on the park is simulated; horizon_us: before it the faults of structure
    happen and parameters are measured; plant_end_us: where the real plant's year ends. None: without it."""

    seed: int
    horizon_us: int
    start_us: int | None
    plant_end_us: int | None
    faults: tuple[str, ...] = ()
    offset_us: int = CHINA.offset_us

    @classmethod
    def beginning(
        cls,
        now_us: int,
        *,
        days: int | None,
        plant: bool,
        seed: int = 1,
        faults: Sequence[str] = (),
        calendar: Calendar = CHINA,
    ) -> Scene:
        """A scene whose past ends now: `days` whole local days before today of the park, a year of the plant."""
        Faults.parse(faults)
        start_us = None if days is None else calendar.day_start(calendar.day(now_us) - days)
        plant_end_us = Plant.ending_at(now_us).end_us if plant else None
        return cls(seed, now_us, start_us, plant_end_us, tuple(faults), calendar.offset_us)

    @property
    def calendar(self) -> Calendar:
        return Calendar(self.offset_us)

    @property
    def city(self) -> City | None:
        return None if self.start_us is None else City(self.seed, self.start_us, self.calendar)

    @property
    def plant(self) -> Plant | None:
        return None if self.plant_end_us is None else Plant(self.plant_end_us)

    def document(self) -> dict[str, Any]:
        """The registry document of all that is simulated."""
        if self.city is None:
            assert self.plant is not None
            return {
                "parks": [dict(park) for park in PARKS],
                "enterprises": [plant_entry(self.plant, self.calendar)],
            }
        document = self.city.document(self.horizon_us, self.plant)
        exchanges = structure(self.city, Faults.parse(self.faults), self.horizon_us).exchanges
        register_exchanges(document, self.city, exchanges)
        return document

    def simulation(self, link: Link) -> Simulation:
        return Simulation(link, self.city, self.plant, Faults.parse(self.faults), self.horizon_us)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{FILE}"
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Scene | None:
        """The folder's scene; None where there is none yet."""
        try:
            fields = json.loads((folder / FILE).read_text("utf-8"))
            return cls(**{**fields, "faults": tuple(fields["faults"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise Refused(
                f"{str(folder / FILE)!r} isn't a scene of this release ({error}); remove the folder to begin anew"
            ) from error
