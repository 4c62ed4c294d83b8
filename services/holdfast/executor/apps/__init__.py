"""Bringing a whole app back."""
