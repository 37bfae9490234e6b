"""Pages of the trees' files, read and damaged without the program's help: Berkeley DB 5.3's layout (its dbinc/db_page.h)."""

import struct

PAGE = 4096
LEAF, OVERFLOW = 5, 7
ITEM_OVERFLOW = 3


def read(path):
    """The file's pages."""
    data = path.read_bytes()
    return [data[at : at + PAGE] for at in range(0, len(data), PAGE)]


def write(path, number, page):
    """Puts a page's bytes into the file, as a disk would have them."""
    with open(path, "r+b") as tree:
        tree.seek(number * PAGE)
        tree.write(page)


def _checksum(page, number):
    """Where it stands in the page, and what it should be."""
    at, size = (492, 512) if number == 0 else (28, PAGE)
    sum_ = 0
    for byte in page[:at] + bytes(4) + page[at + 4 : size]:
        sum_ = (sum_ * 33 + byte) & 0xFFFFFFFF
    return at, sum_.to_bytes(4, "little")


def is_whole(page, number):
    """True if it has the number, and the checksum is that of the bytes."""
    at, checksum = _checksum(page, number)
    return page[at : at + 4] == checksum and page[8:12] == number.to_bytes(4, "little")


def seal(page, number):
    """The page with the checksum of its bytes."""
    at, checksum = _checksum(page, number)
    return page[:at] + checksum + page[at + 4 :]


def tear(random, number, new, old):
    """
    The page as a torn write leaves it, and what kind that is: some sectors new, the others as they were before (`old`,
    None if that is not known), or garbage; or none of it was written where the file had grown.
    """
    if random.random() < 0.15:
        return bytes(PAGE), "blank"
    for _ in range(10):
        sectors = random.randrange(1, 8)
        kind = random.choice(("old behind new", "garbage behind new", "new behind garbage"))
        if kind == "old behind new":
            page = new[: sectors * 512] + (old or bytes(PAGE))[sectors * 512 :]
        elif kind == "garbage behind new":
            page = new[: sectors * 512] + random.randbytes(PAGE - sectors * 512)
        else:
            page = random.randbytes(sectors * 512) + new[sectors * 512 :]
        if not is_whole(page, number):
            return page, kind
    # What it was before is what it is, or only its first sector counts: page 0.
    return new[:256] + random.randbytes(256) + new[512:], "garbage in its first sector"


def _items(page):
    """(key, value's first overflow page or 0) of each record on a leaf."""
    entries = struct.unpack_from("<H", page, 20)[0]
    places = struct.unpack_from(f"<{entries}H", page, 32)
    for key_at, value_at in zip(places[::2], places[1::2]):
        length, kind = struct.unpack_from("<HB", page, key_at)
        assert kind == 1, "a key of ours fits its page"
        overflow = struct.unpack_from("<I", page, value_at + 4)[0] if page[value_at + 2] == ITEM_OVERFLOW else 0
        yield page[key_at + 3 : key_at + 3 + length], overflow


def records_by_page(tree):
    """Which records, by their keys, need each page: the leaf they are on, and the pages their values go on."""
    needed = {}
    for number, page in enumerate(tree):
        if page[25] != LEAF:
            continue
        for key, overflow in _items(page):
            needed.setdefault(number, set()).add(key)
            while overflow != 0:
                needed.setdefault(overflow, set()).add(key)
                overflow = struct.unpack_from("<I", tree[overflow], 16)[0]
    return needed
