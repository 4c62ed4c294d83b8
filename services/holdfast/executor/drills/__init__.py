"""Drills: a snapshot's content brought back beside the app, and asked whether it is any good."""
