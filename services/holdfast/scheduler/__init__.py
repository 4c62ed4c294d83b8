"""The scheduler: says when something is due."""
