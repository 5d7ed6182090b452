"""Many devices at once: one worker per device, each on its own, all into one store.

A device that cannot be held or is lost costs its own jobs only, each of which ends as a failure
with a name; the same command then measures what is missing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgezoo.devices.course import Progress
from edgezoo.devices.failures import DeviceError, Failure
from edgezoo.devices.journal import Journal
from edgezoo.devices.outcome import Report
from edgezoo.devices.phones import EVERY
from edgezoo.devices.protocol import check_plan, measure_at
from edgezoo.devices.stations.choose import chosen_stations, those_that_can
from edgezoo.devices.stations.device import DeviceStation, failure_report, held
from edgezoo.devices.stations.station import Purpose, RunnerFacts, Station
from edgezoo.devices.stopping import stoppable, unstoppable
from edgezoo.devices.subjects import Subject, read_subjects
from edgezoo.measurement import DeviceInfo, MeasuredFormat, Measurement
from edgezoo.plan import Plan


@dataclass(frozen=True, slots=True)
class LostStation:
    """A device that could not be held: every process ends as the failure that it gave."""

    device: DeviceInfo
    failure: Failure
    of: Station

    def check(self, subjects: Sequence[Subject], plan: Plan) -> None:
        """Do nothing; everything was checked before the device was lost."""

    def runner(self, format_: MeasuredFormat) -> RunnerFacts:
        """Return the runner that would have been used."""
        return self.of.runner(format_)

    def command(self, subject: Subject, plan: Plan) -> tuple[str, ...]:
        """Return nothing: nothing ran."""
        return ()

    def wait_until_fit(self, plan: Plan) -> Report | None:
        """Return the failure."""
        return failure_report(self.failure)

    def run(self, subject: Subject, plan: Plan, purpose: Purpose) -> Report:
        """Return the failure."""
        return failure_report(self.failure)

    def recover(self, report: Report) -> bool:
        """Return ``False``."""
        return False


def measure_on_all(
    stations: Sequence[DeviceStation],
    subjects: Sequence[Subject],
    plan: Plan,
    journal: Journal,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Measurement, ...]:
    """Time ``subjects`` on every station at the same time; device by device in their order.

    Whatever interrupts this call stops the processes on the devices first.
    """
    stop = threading.Event()

    def work(station: DeviceStation) -> tuple[Measurement, ...]:
        with stoppable(stop), _held_or_lost(station) as usable:
            return measure_at(usable, subjects, plan, journal, on_progress=on_progress)

    with ThreadPoolExecutor(len(stations)) as pool:
        futures = [pool.submit(work, station) for station in stations]
        try:
            _raise_first(futures)
        except BaseException:
            stop.set()
            raise
    return tuple(measurement for future in futures for measurement in future.result())


@contextmanager
def _held_or_lost(station: DeviceStation) -> Iterator[Station]:
    holding: AbstractContextManager[DeviceStation] = held(station)
    try:
        usable = holding.__enter__()
    except DeviceError as error:
        yield LostStation(station.device, error.failure, station)
        return
    try:
        yield usable
    finally:
        with unstoppable():
            holding.__exit__(None, None, None)


def _raise_first(futures: Sequence[Future[tuple[Measurement, ...]]]) -> None:
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def measure_devices(
    paths: Sequence[Path],
    plan: Plan,
    device: str,
    *,
    store: Path | None = None,
    adb: str | Path | None = None,
    servers: Sequence[str] = (),
    runner: str | None = None,
    libraries: Sequence[Path] = (),
    progress: Callable[[str], None] = lambda message: None,
    on_progress: Callable[[Progress], None] | None = None,
) -> tuple[Measurement, ...]:
    """Time model files on the devices that ``device`` names; see ``chosen_stations``.

    One measurement per device and path, device by device. Raises ``UsageError``, ``ArtifactError``
    or ``DeviceError`` where nothing could be measured at all.
    """
    check_plan(plan)
    subjects = read_subjects(paths)
    formats = {subject.format for subject in subjects}
    with chosen_stations(
        device,
        formats,
        adb=adb,
        servers=servers,
        runner=runner,
        libraries=libraries,
        progress=progress,
    ) as stations:

        def checked(station: DeviceStation) -> DeviceStation:
            station.check(subjects, plan)
            return station

        named = [(station.device.serial, station) for station in stations]
        able = those_that_can(named, checked, progress, all_needed=device != EVERY)
        with Journal(store) as journal:
            return measure_on_all(able, subjects, plan, journal, on_progress=on_progress)
