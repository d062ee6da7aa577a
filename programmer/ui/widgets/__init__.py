"""Widgets of the clinical frame: entry, keypad, buttons, bars."""
