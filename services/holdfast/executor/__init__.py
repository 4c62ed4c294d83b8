"""The executor: takes one run at a time per slot, does it with restic, and says how it ended."""
