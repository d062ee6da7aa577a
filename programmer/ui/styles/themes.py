"""The three themes. Contrast is proven by a test, not chosen: >= 4.5:1 for text, 7:1 for doses, alarms."""

from typing import Final

from textual.theme import Theme

_COMMON: Final = {
    "high-bg": "#A3122A", "high-fg": "#FFFFFF", "medium-bg": "#FFC24B", "medium-fg": "#101820",
    "low-bg": "#7FD4E6", "low-fg": "#101820",
}  # fmt: skip


def _theme(name: str, dark: bool, **colours: str) -> Theme:
    variables = _COMMON | {k.replace("_", "-"): v for k, v in colours.items()}
    return Theme(
        name=name,
        primary=colours["accent"],
        background=colours["page"],
        surface=colours["page"],
        panel=colours["band"],
        foreground=colours["ink"],
        dark=dark,
        variables=variables,
    )


CLINIC_LIGHT: Final = _theme(
    "clinic-light", False, page="#FFFFFF", ink="#101820", faint="#4A5560", dose="#000000", band="#E4EAF0",
    accent="#0B4F8A", key="#DDE6EE", key_ink="#101820", key_focus="#0B4F8A", key_focus_ink="#FFFFFF",
    off="#EDEDED", off_ink="#5A5A5A", ok="#1B5E20", note="#7A4100", bad="#A3122A",
    sim="#5B2A86", sim_ink="#FFFFFF", real="#101820", real_ink="#FFFFFF", edge="#5C6B7A",
)  # fmt: skip
CLINIC_DARK: Final = _theme(
    "clinic-dark", True, page="#101820", ink="#F2F5F7", faint="#A9B4BE", dose="#FFFFFF", band="#1E2A35",
    accent="#8CC8FF", key="#2A3947", key_ink="#F2F5F7", key_focus="#8CC8FF", key_focus_ink="#101820",
    off="#1A222A", off_ink="#95A0AA", ok="#9BE0A2", note="#FFC24B", bad="#FFB0B8",
    sim="#D9B8FF", sim_ink="#101820", real="#FFFFFF", real_ink="#101820", edge="#8494A3",
)  # fmt: skip
MONO: Final = _theme(
    "mono", True, page="#000000", ink="#FFFFFF", faint="#FFFFFF", dose="#FFFFFF", band="#000000",
    accent="#FFFFFF", key="#000000", key_ink="#FFFFFF", key_focus="#FFFFFF", key_focus_ink="#000000",
    off="#000000", off_ink="#A8A8A8", ok="#FFFFFF", note="#FFFFFF", bad="#FFFFFF",
    sim="#FFFFFF", sim_ink="#000000", real="#FFFFFF", real_ink="#000000", edge="#FFFFFF",
    high_bg="#FFFFFF", high_fg="#000000", medium_bg="#FFFFFF", medium_fg="#000000",
    low_bg="#FFFFFF", low_fg="#000000",
)  # fmt: skip
THEMES: Final = (CLINIC_LIGHT, CLINIC_DARK, MONO)

PAIRS: Final = (
    ("ink", "page", "4.5"), ("faint", "page", "4.5"), ("ink", "band", "4.5"), ("faint", "band", "4.5"),
    ("dose", "page", "7"), ("key-ink", "key", "7"), ("key-focus-ink", "key-focus", "7"),
    ("off-ink", "off", "4.5"), ("ok", "page", "4.5"), ("note", "page", "4.5"), ("bad", "page", "7"),
    ("sim-ink", "sim", "7"), ("real-ink", "real", "7"), ("high-fg", "high-bg", "7"),
    ("medium-fg", "medium-bg", "7"), ("low-fg", "low-bg", "7"), ("accent", "page", "4.5"),
)  # fmt: skip
"""Foreground, background and the least contrast that a test demands of every theme."""
