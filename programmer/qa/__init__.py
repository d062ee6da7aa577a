"""Simulation for quality assurance: the demo clinic, the virtual pump as a process, its control channel."""
