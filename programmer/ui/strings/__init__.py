"""The catalogue of everything the interface says."""
