"""Plain frozen views: what a screen shows, without any widget."""
