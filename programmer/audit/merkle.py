"""The tree of RFC 6962: hashes, the growing frontier, roots, inclusion and consistency proofs. Pure functions.

Source: RFC 6962 section 2.1; the verification walks follow RFC 9162 sections 2.1.3.2 and 2.1.4.2.
"""

from collections.abc import Sequence
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


class ProofMalformed(ValueError):
    """Hash length, or number of hashes, does not fit index and size: get the proof again from its source."""


class ProofInvalid(ValueError):
    """The proof is well formed but leads to another root: the entry is not in this tree."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of one entry's exact bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def frontier_append(frontier: tuple[bytes, ...], size: int, leaf: bytes) -> tuple[bytes, ...]:
    """The frontier of ``size + 1`` leaves: roots of the perfect subtrees, largest (leftmost) first."""
    if len(frontier) != size.bit_count():
        raise ProofMalformed("the frontier does not fit the size: rebuild it from the entries")
    stack = list(frontier)
    node = leaf
    while size & 1:
        node = node_hash(stack.pop(), node)
        size >>= 1
    stack.append(node)
    return tuple(stack)


def frontier_root(frontier: Sequence[bytes]) -> bytes:
    """The root of the tree whose perfect subtrees are ``frontier``; the hash of nothing for an empty tree."""
    if not frontier:
        return EMPTY_ROOT
    node = frontier[-1]
    for left in reversed(frontier[:-1]):
        node = node_hash(left, node)
    return node


class Tree:
    """All complete nodes of a growing log, so that any earlier root and any proof costs O(log n) hashes."""

    __slots__ = ("_levels",)

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    def __len__(self) -> int:
        return len(self._levels[0])

    def leaf(self, index: int) -> bytes:
        """Leaf hash number ``index``."""
        return self._levels[0][index]

    def level(self, number: int) -> Sequence[bytes]:
        """The complete nodes of height ``number``, left to right."""
        return self._levels[number] if number < len(self._levels) else ()

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        level = 0
        self._levels[0].append(leaf)
        while len(self._levels[level]) % 2 == 0:
            left, right = self._levels[level][-2:]
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(node_hash(left, right))

    def frontier(self, size: int | None = None) -> tuple[bytes, ...]:
        """The frontier of the first ``size`` leaves (default all)."""
        return self._cover(0, len(self) if size is None else size)

    def root(self, size: int | None = None) -> bytes:
        """The root of the first ``size`` leaves (default all)."""
        size = len(self) if size is None else size
        if not 0 <= size <= len(self):
            raise IndexError(f"the tree has {len(self)} leaves, not {size}")
        return frontier_root(self._cover(0, size))

    def inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """The audit path of leaf ``index`` in the tree of ``size`` leaves."""
        size = len(self) if size is None else size
        if not 0 <= index < size <= len(self):
            raise IndexError(f"no leaf {index} in a tree of {size}")
        path: list[bytes] = []
        first, last = 0, size
        while last - first > 1:
            split = first + _split(last - first)
            if index < split:
                path.append(frontier_root(self._cover(split, last)))
                last = split
            else:
                path.append(frontier_root(self._cover(first, split)))
                first = split
        return tuple(reversed(path))

    def consistency(self, size1: int, size2: int) -> tuple[bytes, ...]:
        """The proof that the first ``size1`` leaves are a prefix of the first ``size2``."""
        if not 1 <= size1 <= size2 <= len(self):
            raise IndexError(f"no consistency proof from {size1} to {size2}")
        path: list[bytes] = []
        first, last, whole = 0, size2, True
        while size1 != last:
            split = first + _split(last - first)
            if size1 <= split:
                path.append(frontier_root(self._cover(split, last)))
                last = split
            else:
                path.append(frontier_root(self._cover(first, split)))
                first, whole = split, False
        if not whole:
            path.append(frontier_root(self._cover(first, last)))
        return tuple(reversed(path))

    def _cover(self, first: int, last: int) -> tuple[bytes, ...]:
        """Roots of the perfect subtrees that cover [first, last); ``first`` is a multiple of the first one."""
        found: list[bytes] = []
        while first < last:
            height = (last - first).bit_length() - 1
            if first:
                height = min(height, (first & -first).bit_length() - 1)
            found.append(self._levels[height][first >> height])
            first += 1 << height
        return tuple(found)


def _split(size: int) -> int:
    """The largest power of two below ``size`` (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _lengths(*hashes: bytes) -> None:
    if any(len(item) != HASH_SIZE for item in hashes):
        raise ProofMalformed("a hash has not 32 bytes: get the proof again from its source")


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Returns when ``proof`` shows ``leaf`` at ``index`` of the tree (size, root); else raises."""
    _lengths(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofMalformed("the index lies outside the tree")
    inner = (index ^ (size - 1)).bit_length()
    if len(proof) != inner + (index >> inner).bit_count():
        raise ProofMalformed("the proof has a wrong number of hashes for its index and size")
    node = leaf
    for height, item in enumerate(proof[:inner]):
        node = node_hash(item, node) if index >> height & 1 else node_hash(node, item)
    for item in proof[inner:]:
        node = node_hash(item, node)
    if node != root:
        raise ProofInvalid("the proof leads to another root: the entry is not in this tree")


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Returns when ``proof`` shows that (size1, root1) is a prefix of (size2, root2); else raises."""
    _lengths(root1, root2, *proof)
    if not 1 <= size1 <= size2:
        raise ProofMalformed("the sizes are not 1 <= first <= second")
    if size1 == size2:
        if proof:
            raise ProofMalformed("a proof between equal sizes is empty")
        if root1 != root2:
            raise ProofInvalid("one size, two roots")
        return
    shift = (size1 & -size1).bit_length() - 1
    inner = ((size1 - 1) ^ (size2 - 1)).bit_length()
    border = ((size1 - 1) >> inner).bit_count()
    whole = size1 == 1 << shift
    if len(proof) != inner - shift + border + (0 if whole else 1):
        raise ProofMalformed("the proof has a wrong number of hashes for its sizes")
    seed, rest = (root1, proof) if whole else (proof[0], proof[1:])
    inner -= shift
    mask = (size1 - 1) >> shift
    old = new = seed
    for height, item in enumerate(rest[:inner]):
        if mask >> height & 1:
            old, new = node_hash(item, old), node_hash(item, new)
        else:
            new = node_hash(new, item)
    for item in rest[inner:]:
        old, new = node_hash(item, old), node_hash(item, new)
    if old != root1 or new != root2:
        raise ProofInvalid("the smaller tree is not the beginning of the larger one")
