"""The screens: each renders one view and posts typed messages; none decides anything."""
