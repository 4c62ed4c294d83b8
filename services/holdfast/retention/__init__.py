"""Retention: decides which snapshots are no longer kept.  It touches no repository."""
