"""What is done around a backup so that it can be relied on: hooks, dumps, and a quiet app."""
