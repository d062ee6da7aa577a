"""Fuzzing of everything that reads bytes from the line: ``python -m tests.fuzz --seconds 60``.

``scene`` builds the two ends at every stage of a session and records the corpus, ``parsers`` and ``targets`` hold what
is fuzzed and what must hold, ``mutate`` alters inputs, ``search`` runs and shortens what it finds.
"""
