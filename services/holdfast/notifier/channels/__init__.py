"""Ways to notify: one file a channel, one contract suite for all (tests/contract/channels)."""
