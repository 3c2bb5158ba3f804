"""The files of one file drain: writing to the live one, rotating it, and going back to a position in them.

All of this blocks and belongs in a thread. Every step can be the last one before the process is killed, and
`Generations.open` with the same cursor then finds its way from whatever lies on the disk:

- the live file has the highest generation; ``name.000007`` on the disk says that the live file is later than 7;
- going back to a rotated generation first removes the generations after it, then renames it to the live
  file's name, which replaces the live file in one step, then cuts it;
- where the place of a cursor cannot be found (no cursor yet, another file under the name, a file cut short, a
  generation already removed), writing goes on in a new generation, and the *floor*, a small hidden file, says
  where that began: older cursors, or none, lead there from then on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from logyard_drains.file_compress import expand
from logyard_drains.file_live import LiveFile, holds
from logyard_drains.file_position import COMPRESSED, VERSION, Position, rotated_generations, rotated_name

__all__ = ["Generations", "Rotation"]


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a new generation begins, and how many old ones stay.

    Attributes:
        size: bytes that a file may have (a single send may be larger), 0 for no limit.
        age: seconds that a file is written to, 0 for no limit.
        keep: rotated files to keep, at least 1.
    """

    size: int = 0
    age: float = 0.0
    keep: int = 10

    def due(self, position: Position, coming: int, now: float) -> bool:
        if not position.length:
            return False
        if self.size and position.length + coming > self.size:
            return True
        return self.age > 0 and now - position.since >= self.age


class Generations:
    """The files of one drain, open for writing at `position`.

    Args:
        path: the live file.
        drain: the drain's name; a drain of another name does not continue this one's work.
        rotation: when to rotate.
        fsync: whether what is written is on the disk when `append` returns.
    """

    def __init__(self, path: Path, drain: str, rotation: Rotation, *, fsync: bool = False) -> None:
        self._drain = drain
        self._rotation = rotation
        self._fsync = fsync
        self._set_path(path)
        self._live: LiveFile | None = None
        self._floor: Position | None = None
        self._first = False
        """Whether the floor is where this drain began, with no acknowledgement known to be stored since."""
        self.position = Position(str(path), 0)

    def _set_path(self, path: Path) -> None:
        self._path = path
        self._directory = path.parent
        self._floor_path = path.with_name(f".{path.name}.logyard")

    # Opening

    def open(self, text: str | None, now: float, *, overwrite: bool = False) -> None:
        """Make the files end at a cursor: what was written after it will be sent again.

        Args:
            text: the last acknowledged position, encoded; None before the first.
            now: seconds since 1970.
            overwrite: without a cursor, empty the file instead of appending to it.

        Raises:
            RetryLater: another process writes to the file.
            Permanent: the cursor's rotated file is damaged.
            OSError: the directory is missing, not writable, ...
        """
        self._set_path(self._path.resolve())  # renaming must hit the file, not a link to it
        cursor = Position.decode(text, str(self._path))
        self._live = LiveFile(self._path)
        self._remove_leftovers()
        self._read_floor()
        floor = self._floor
        if floor is not None and (self._first if cursor is None else cursor.generation < floor.generation):
            cursor = floor
        else:
            self.forget_first()
        if cursor is None:
            self._first = True
            self._begin(max(self._rotated(), default=0) + 1, now, empty=overwrite)
        else:
            self._resume(cursor, now)
        if self._fsync:
            os.fsync(self.live.fd)
            self._sync_directory()

    @property
    def live(self) -> LiveFile:
        assert self._live is not None, "open() comes first"
        return self._live

    def _resume(self, cursor: Position, now: float) -> None:
        rotated = self._rotated()
        later = [path for generation, forms in rotated.items() if generation > cursor.generation for path in forms]
        if cursor.generation in rotated:
            self._unrotate(cursor, rotated[cursor.generation], later, now)
        elif later:
            # Its file was removed as too old; all that is there has been sent after the cursor and comes again.
            self._path.unlink()
            for path in later:
                path.unlink()
            self.live.turn()
            self._begin(max(rotated) + 1, now)
        elif holds(self.live.fd, cursor):
            self._cut(cursor)
        else:
            self._begin(cursor.generation + 1, now)

    def _unrotate(self, cursor: Position, forms: list[Path], later: list[Path], now: float) -> None:
        """Make a rotated generation the live file again."""
        source = forms[0]
        if source.suffix in COMPRESSED:
            restored = self._path.with_name(f"{self._path.name}.restore.tmp")
            expand(source, restored, cursor.length)
            source = restored
        fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            unchanged = holds(fd, cursor)
        finally:
            os.close(fd)
        if not unchanged:
            # Somebody has changed it: remove nothing, and go on behind all that is there.
            self._begin(max(self._rotated()) + 1, now)
            return
        for path in later:
            path.unlink()
        floored = self._floor is not None and self._floor.generation >= cursor.generation
        if not floored and min(self._rotated()) == cursor.generation:
            # With no rotated file left, nothing would tell a still older cursor that its generation is gone.
            self._write_floor(replace(cursor, length=0, tail=0))
        source.rename(self._path)
        for path in forms:
            path.unlink(missing_ok=True)
        self.live.turn()
        self._cut(cursor)

    def _cut(self, position: Position) -> None:
        self.live.cut(position.length)
        self.position = position

    def _begin(self, generation: int, now: float, *, empty: bool = False) -> None:
        """Go on at the end of the live file as a new generation, and remember where that is."""
        if empty:
            self.live.cut(0)
        else:
            self.live.end_line()
        self.position = self.live.end(Position(str(self._path), generation, since=now))
        self._write_floor(self.position)

    # Writing

    def append(self, blocks: Sequence[bytes], now: float) -> Position:
        """Write the blocks one behind the other, after rotating when that is due.

        Returns:
            the position behind them.

        Raises:
            RetryLater: the disk is full; nothing of this was kept.
            OSError: anything else; open the drain again.
        """
        blocks = [block for block in blocks if block]
        coming = sum(map(len, blocks))
        if not self.live.in_place:
            # Somebody else has rotated: their file is finished, ours begins.
            self.live.turn()
            self._begin(self.position.generation + 1, now)
        elif coming and self._rotation.due(self.position, coming, now):
            self.rotate(now)
        if not coming:
            return self.position
        self.live.write(blocks, sync=self._fsync)
        self.position = self.live.end(self.position)
        return self.position

    def rotate(self, now: float) -> None:
        """Finish the live file under its number, begin the next one, remove those that are too old.

        Raises:
            OSError: the drain must be opened again.
        """
        if self._fsync:
            os.fsync(self.live.fd)
        self._path.rename(self._path.with_name(rotated_name(self._path.name, self.position.generation)))
        self.live.turn()
        self.position = Position(str(self._path), self.position.generation + 1, since=now)
        rotated = self._rotated()
        for generation in sorted(rotated)[: -self._rotation.keep]:
            for path in rotated[generation]:
                path.unlink(missing_ok=True)
        if self._fsync:
            self._sync_directory()

    def uncompressed(self) -> list[Path]:
        """The rotated files that are not compressed, the oldest first."""
        newest = (forms[0] for _, forms in sorted(self._rotated().items()))
        return [path for path in newest if path.suffix not in COMPRESSED]

    def close(self) -> None:
        """Close the live file, and with it give up its lock."""
        if self._live is not None:
            self._live.close()
            self._live = None

    # The files

    def _rotated(self) -> dict[int, list[Path]]:
        return rotated_generations(self._path.name, self._directory.iterdir())

    def _remove_leftovers(self) -> None:
        ours = {f"{self._path.name}.restore", self._floor_path.name}
        for path in self._directory.glob("*.tmp"):
            made = path.with_suffix("")
            if made.name in ours or rotated_generations(self._path.name, [made]):
                path.unlink()

    def _read_floor(self) -> None:
        self._floor, self._first = None, False
        try:
            fields = json.loads(self._floor_path.read_bytes())
            if fields["v"] == VERSION and fields["drain"] == self._drain:
                self._floor, self._first = Position(**fields["position"]), bool(fields["first"])
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            pass  # not ours, or torn by a power failure: the same as none

    def _write_floor(self, floor: Position) -> None:
        self._floor = floor
        content = {"v": VERSION, "drain": self._drain, "first": self._first, "position": asdict(floor)}
        temporary = self._floor_path.with_name(f"{self._floor_path.name}.tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            os.write(fd, json.dumps(content).encode())
            if self._fsync:
                os.fsync(fd)
        finally:
            os.close(fd)
        temporary.rename(self._floor_path)

    def forget_first(self) -> None:
        """A cursor of this drain is stored: when one is missing from now on, it is a new drain's, which appends."""
        if self._first:
            self._first, self._floor = False, None
            self._floor_path.unlink(missing_ok=True)

    def _sync_directory(self) -> None:
        fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
