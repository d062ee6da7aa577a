"""An independent client, written from protocol/SPEC.md alone, and what it shows against the virtual pump."""
