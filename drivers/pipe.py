"""A two-way byte line in memory with a plan of faults, on a virtual clock: the same plan gives the same
bytes.

Nothing here waits or draws lots: time is an integer number of milliseconds handed in, and a fault names
the byte it hits. Bytes are counted for each direction from the moment the fault is armed, beginning with 0.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum


class Direction(Enum):
    """Which way a byte goes."""

    TO_PUMP = "to pump"
    FROM_PUMP = "from pump"


@dataclass(frozen=True, slots=True)
class Cut:
    """Once ``byte`` bytes went in ``direction`` everything vanishes, both ways, until ``Pipe.heal``."""

    direction: Direction
    byte: int


@dataclass(frozen=True, slots=True)
class Drop:
    """``count`` bytes from number ``byte`` on vanish."""

    direction: Direction
    byte: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Flip:
    """Byte number ``byte`` is changed in the bits of ``mask`` (1..255)."""

    direction: Direction
    byte: int
    mask: int = 1


@dataclass(frozen=True, slots=True)
class Duplicate:
    """``count`` bytes from number ``byte`` on arrive once more, at the end of the write with them all."""

    direction: Direction
    byte: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Delay:
    """``count`` bytes from number ``byte`` on arrive ``ms`` milliseconds late and are overtaken."""

    direction: Direction
    byte: int
    count: int
    ms: int


Fault = Cut | Drop | Flip | Duplicate | Delay


class Pipe:
    """The line. ``baud`` paces it as an 8N1 line (10 bits a byte); ``None``: bytes cost no time.

    ``offered`` counts the bytes written in each direction, ``passed`` those that were not lost on the way.
    """

    def __init__(self, faults: Iterable[Fault] = (), *, baud: int | None = None) -> None:
        self.offered = dict.fromkeys(Direction, 0)
        self.passed = dict.fromkeys(Direction, 0)
        # Times on the line are exact in units of 1/baud ms, in which a byte of 10 bits takes 10,000.
        self._baud, self._byte = (1, 0) if baud is None else (baud, 10_000)
        self._free = dict.fromkeys(Direction, 0)
        self._in_transit: dict[Direction, deque[tuple[int, int]]] = {way: deque() for way in Direction}
        self._faults: list[Fault] = []
        self._cut = False
        self.arm(*faults)

    @property
    def is_cut(self) -> bool:
        """Whether everything vanishes now."""
        self._check_cuts()
        return self._cut

    def arm(self, *faults: Fault) -> None:
        """Add faults; their byte numbers count from the bytes offered so far."""
        self._faults += [replace(fault, byte=fault.byte + self.offered[fault.direction]) for fault in faults]

    def cut(self) -> None:
        """Let everything vanish from now on."""
        self._cut = True

    def heal(self) -> None:
        """End a cut and forget every fault that is armed. Bytes that vanished stay lost."""
        self._cut = False
        self._faults.clear()

    def write(self, direction: Direction, data: bytes, now_ms: int) -> None:
        """Put ``data`` on the line."""
        if self._is_untouched(direction, len(data), now_ms):
            self._pass(direction, data, now_ms)
            return
        for value in data:
            self._check_cuts()
            number = self.offered[direction]
            self.offered[direction] += 1
            self._free[direction] = max(self._free[direction], now_ms * self._baud) + self._byte
            if self._cut:
                continue
            for arrived, late_ms in self._fate(direction, number, value):
                due_ms = -(-self._free[direction] // self._baud) + late_ms
                self._put(direction, due_ms, arrived)
        for fault in self._faults:
            if isinstance(fault, Duplicate) and fault.direction is direction and not self.is_cut:
                self._repeat(fault, data)

    def read(self, direction: Direction, now_ms: int) -> bytes:
        """The bytes that have arrived in ``direction`` by ``now_ms``."""
        queue, found = self._in_transit[direction], bytearray()
        while queue and queue[0][0] <= now_ms:
            found.append(queue.popleft()[1])
        return bytes(found)

    def next_arrival(self) -> int | None:
        """When (ms) the next byte arrives anywhere; ``None``: the line is empty."""
        return min((queue[0][0] for queue in self._in_transit.values() if queue), default=None)

    def _is_untouched(self, direction: Direction, size: int, now_ms: int) -> bool:
        """Whether the next ``size`` bytes meet no fault, and overtake no byte that is late."""
        begin = self.offered[direction]
        meets = any(
            fault.direction is direction
            and begin + size > fault.byte
            and (isinstance(fault, Cut) or begin < fault.byte + (1 if isinstance(fault, Flip) else fault.count))
            for fault in self._faults
        )
        queue = self._in_transit[direction]
        overtakes = bool(queue) and queue[-1][0] > max(now_ms, -(-self._free[direction] // self._baud))
        return not (meets or overtakes or self.is_cut)

    def _pass(self, direction: Direction, data: bytes, now_ms: int) -> None:
        """Put bytes on the line of which none is touched; the same as byte after byte, at once."""
        first = max(self._free[direction], now_ms * self._baud)
        self.offered[direction] += len(data)
        self.passed[direction] += len(data)
        self._free[direction] = first + len(data) * self._byte
        due = ((first + number * self._byte, value) for number, value in enumerate(data, 1))
        self._in_transit[direction].extend((-(-time // self._baud), value) for time, value in due)

    def _check_cuts(self) -> None:
        if not self._cut:
            self._cut = any(
                isinstance(fault, Cut) and self.offered[fault.direction] >= fault.byte for fault in self._faults
            )

    def _fate(self, direction: Direction, number: int, value: int) -> list[tuple[int, int]]:
        late_ms = 0
        for fault in self._faults:
            if fault.direction is not direction:
                continue
            match fault:
                case Drop(byte=first, count=count) if first <= number < first + count:
                    return []
                case Flip(byte=first, mask=mask) if first == number:
                    value ^= mask
                case Delay(byte=first, count=count, ms=ms) if first <= number < first + count:
                    late_ms += ms
                case _:
                    pass
        return [(value, late_ms)]

    def _put(self, direction: Direction, due_ms: int, value: int) -> None:
        self.passed[direction] += 1
        queue = self._in_transit[direction]
        place = len(queue)
        while place and queue[place - 1][0] > due_ms:
            place -= 1
        queue.insert(place, (due_ms, value))

    def _repeat(self, fault: Duplicate, data: bytes) -> None:
        begin = self.offered[fault.direction] - len(data)
        first = fault.byte - begin
        if first >= 0 and first + fault.count <= len(data):
            for value in data[first : first + fault.count]:
                self._free[fault.direction] += self._byte
                self._put(fault.direction, -(-self._free[fault.direction] // self._baud), value)
