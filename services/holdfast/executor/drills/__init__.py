"""Proving that a snapshot can be restored: by restoring it, and looking."""
