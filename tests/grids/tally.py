"""Counts of a grid: cases, words, seconds, and cases a second."""

import time
from collections import Counter
from dataclasses import dataclass, field

from programmer.visit.machine import Word
from tests.grids.judge import End
from tests.grids.world import Memory


@dataclass
class Tally:
    """What a run of a grid found."""

    words: Counter[Word] = field(default_factory=Counter)
    settled: Counter[Word] = field(default_factory=Counter)
    began: float = field(default_factory=time.perf_counter)
    work: float = field(default_factory=time.process_time)

    @property
    def count(self) -> int:
        return sum(self.words.values())

    def add(self, end: object) -> None:
        assert isinstance(end, End)
        self.words[end.first] += 1
        self.settled[end.settled] += 1

    def told(self, name: str, memory: Memory) -> str:
        """Counts, seconds and rate in one line."""
        seconds, worked = time.perf_counter() - self.began, time.process_time() - self.work
        words = ", ".join(f"{word.value} {self.words[word]}" for word in Word)
        after = ", ".join(f"{word.value} {self.settled[word]}" for word in Word)
        return (
            f"\n{name}: {self.count} cases in {seconds:.1f} s ({worked:.1f} s of work), "
            f"{self.count / seconds:.0f} cases/s, "
            f"{len(memory.ends)} states; first word {words}; after reading {after}"
        )
