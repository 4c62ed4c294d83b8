"""Destinations before restic: can one be reached, what is there, and what is wrong if not.

restic itself retries for a quarter of an hour where this answers in seconds.
"""
