"""The followed paths and the open files, found by path, by directory, by inode and by every name they have."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from logyard.agent.source import Slot, Source

__all__ = ["Register"]


class Register:
    """See the module.

    Attributes:
        slots: by path.
        sources: the open files by device and inode.
        version: grows whenever a file is opened or closed.
        linked: directories that followed symbolic links lead to, and the directories of those links.
    """

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        self.sources: dict[tuple[int, int], Source] = {}
        self.version = 0
        self.linked: dict[str, set[str]] = {}
        self._directories: dict[str, dict[str, Slot]] = {}
        self._names: dict[str, Slot] = {}

    def in_directory(self, directory: str) -> dict[str, Slot]:
        """The slots whose paths are in a directory, by name."""
        return self._directories.get(directory, {})

    @property
    def directories(self) -> Collection[str]:
        """The directories of all slots."""
        return self._directories.keys()

    def named(self, path: str) -> Slot | None:
        """The slot of a path, or of a rotated file that is called so now."""
        return self._names.get(path)

    def enter(self, slot: Slot) -> None:
        """Follow a path."""
        directory, name = _split(slot.path)
        self.slots[slot.path] = slot
        self._directories.setdefault(directory, {})[name] = slot
        for path in _own_names(slot):
            self._names[path] = slot
        self._link(slot)

    def forget(self, slot: Slot) -> None:
        """Follow a path no longer."""
        directory, name = _split(slot.path)
        self.slots.pop(slot.path, None)
        slots = self._directories.get(directory, {})
        slots.pop(name, None)
        if not slots:
            self._directories.pop(directory, None)
        for path in [path for path, named in self._names.items() if named is slot]:
            del self._names[path]

    def add(self, source: Source) -> None:
        """A file was opened."""
        self.version += 1
        self.sources[source.device, source.inode] = source
        self._names.setdefault(source.path, source.slot)

    def remove(self, source: Source) -> None:
        """A file was closed."""
        self.version += 1
        self.sources.pop((source.device, source.inode), None)
        self._drop_name(source)

    def rename(self, source: Source, path: str) -> None:
        """An open file has another name now."""
        if source.path != path:
            self._drop_name(source)
            source.path = path
            self._names.setdefault(path, source.slot)

    def refresh_links(self) -> None:
        """Forget directories behind links that are followed no longer."""
        self.linked.clear()
        for slot in self.slots.values():
            self._link(slot)

    def _link(self, slot: Slot) -> None:
        directory = _split(slot.path)[0]
        if slot.directory != directory:
            self.linked.setdefault(slot.directory, set()).add(directory)

    def _drop_name(self, source: Source) -> None:
        if source.path not in _own_names(source.slot) and self._names.get(source.path) is source.slot:
            del self._names[source.path]


def _split(path: str) -> tuple[str, str]:
    directory, _, name = path.rpartition("/")
    return directory or "/", name


def _own_names(slot: Slot) -> Iterable[str]:
    return {slot.path, f"{slot.directory}/{slot.name}"}
