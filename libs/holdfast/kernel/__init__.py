"""What everything else stands on: errors, time, ids and secrets.  Standard library only."""
