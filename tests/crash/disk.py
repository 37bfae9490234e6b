"""What may be on the disk after a power cut: the model behind tests/crash/power (tests/crash/recorder.h records).

A sync of a file makes what was written to it before the sync began durable, its size with it; a sync of the folder
makes the names so. All else may be there or not: of a log each sector of 512 bytes for itself, of any other file each
page of 4096 bytes, a sector or page as it was after any of the writes to it (the page cache holds their sum); sizes and
names likewise. Names go in the order in which they were changed, as a journal has them, or (STRICT) in any choice, which
POSIX allows.
"""

import ctypes
import mmap
import os
import struct

WRITE, SIZE, CREATE, RENAME, REMOVE, SYNC, SYNCED, MARK = range(1, 9)
HEAD = struct.Struct("<IIQQQ")
TRACE_FIRST = 4096
TRACE_END = 8  # offset of trace_head.end
SECTOR_BYTES = 512
PAGE_BYTES = 4096


class Recorder:
    """The trace that the recorded processes write to: the test's own end of it."""

    def __init__(self, library, trace, home, sync_us):
        self.trace = trace
        self._library = ctypes.CDLL(str(library))
        error = self._library.recorder_make(str(trace).encode(), ctypes.c_uint64(4 << 30))
        if error:
            raise OSError(error, os.strerror(error), str(trace))
        self.env = {
            "LD_PRELOAD": str(library),
            "RECORDER_TRACE": str(trace),
            "RECORDER_HOME": str(home),
            "RECORDER_SYNC_US": str(sync_us),
        }

    def mark(self, words):
        self._library.recorder_mark(words.encode())

    def __enter__(self):
        """Nothing is done to the home inside: for a kill."""
        self._library.recorder_hold()

    def __exit__(self, *_):
        self._library.recorder_release()

    def records(self):
        """[(offset, kind, process, inode, offset, data)], in order."""
        found = []
        with open(self.trace, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
            (end,) = struct.unpack_from("<Q", m, TRACE_END)
            at = TRACE_FIRST
            while at < end:
                kind, process, inode, offset, size = HEAD.unpack_from(m, at)
                start = at + HEAD.size
                found.append((at, kind, process, inode, offset, m[start : start + size]))
                at = (start + size + 7) // 8 * 8
        return found


def _write(content, offset, data):
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _resize(content, size):
    if size < len(content):
        del content[size:]
    else:
        content.extend(bytes(size - len(content)))


class File:
    """One inode: what of it is durable, and what was done since, as (place in the trace, kind, offset, data)."""

    def __init__(self):
        self.durable = bytearray()
        self.pending = []

    def sync(self, began):
        left = []
        for change in self.pending:
            if change[0] < began:
                self._apply(self.durable, change)
            else:
                left.append(change)
        self.pending = left

    @staticmethod
    def _apply(content, change):
        _, kind, offset, data = change
        if kind == WRITE:
            _write(content, offset, data)
        else:
            _resize(content, offset)

    def sample(self, unit, keep, random):
        """As it may be: keep 0: all that is not durable is lost; 1: nothing is; between: how much is kept, about."""
        content = bytearray(self.durable)
        if keep == 0 or not self.pending:
            return content
        if keep == 1:
            for change in self.pending:
                self._apply(content, change)
            return content
        return self._sample_units(content, unit, keep, random)

    def _units(self, change, unit):
        _, kind, offset, data = change
        return range(offset // unit, (offset + len(data) - 1) // unit + 1) if kind == WRITE and data else ()

    def _sample_units(self, content, unit, keep, random):
        touches = {}
        sizes = [len(content)]
        for change in self.pending:
            for u in self._units(change, unit):
                touches[u] = touches.get(u, 0) + 1
            end = change[2] + len(change[3])
            sizes.append(end if change[1] == SIZE else max(sizes[-1], end))
        # Of each unit so many writes are kept: all, none, or the first few.
        kept = {u: random.choice((0, random.randint(0, n))) if random.random() > keep else n for u, n in touches.items()}
        size = sizes[-1] if random.random() < keep else random.choice(sizes)
        for change in self.pending:
            _, kind, offset, data = change
            if kind == SIZE:
                if offset < len(content):
                    _resize(content, offset)
                continue
            for u in self._units(change, unit):
                if kept[u] > 0:
                    kept[u] -= 1
                    low, high = max(offset, u * unit), min(offset + len(data), (u + 1) * unit)
                    _write(content, low, data[low - offset : high - offset])
        _resize(content, size)
        return content


class Disk:
    """A folder under a stream of records; .image() at any point gives names and contents as a power cut may leave them."""

    def __init__(self, folder_inode):
        self.folder_inode = folder_inode
        self.files = {}
        self.names = {}  # durable
        self.changes = []  # of names, since: (place in the trace, kind, name, inode or new name)

    def has(self, name, inode, content):
        """A file that was there before the records begin."""
        self.names[name] = inode
        self._file(inode).durable.extend(content)

    def do(self, record):
        at, kind, _, inode, offset, data = record
        if kind in (WRITE, SIZE):
            self._file(inode).pending.append((at, kind, offset, data))
        elif kind == CREATE:
            self._file(inode)
            self.changes.append((at, kind, data.decode(), inode))
        elif kind == RENAME:
            old, new = data.decode().split("\0")
            self.changes.append((at, kind, old, new))
        elif kind == REMOVE:
            self.changes.append((at, kind, data.decode(), None))
        elif kind == SYNCED and inode == self.folder_inode:
            for change in [c for c in self.changes if c[0] < offset]:
                self._change(self.names, change)
            self.changes = [c for c in self.changes if c[0] >= offset]
        elif kind == SYNCED:
            self._file(inode).sync(offset)

    def _file(self, inode):
        return self.files.setdefault(inode, File())

    @staticmethod
    def _change(names, change):
        _, kind, name, other = change
        if kind == CREATE:
            names[name] = other
        elif kind == REMOVE:
            names.pop(name, None)
        elif name in names:
            names[other] = names.pop(name)

    def image(self, keep, random, strict=False):
        """{name: content}"""
        names = dict(self.names)
        if keep == 1:
            chosen = self.changes
        elif keep == 0:
            chosen = []
        elif strict:
            chosen = [c for c in self.changes if random.random() < keep]
        else:
            chosen = self.changes[: random.randint(0, len(self.changes))]
        for change in chosen:
            self._change(names, change)
        return {
            name: self.files[inode].sample(SECTOR_BYTES if name.startswith("log.") else PAGE_BYTES, keep, random)
            for name, inode in names.items()
        }
