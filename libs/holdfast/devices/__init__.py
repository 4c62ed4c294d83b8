"""Machines on which programs run: this one, and others."""
