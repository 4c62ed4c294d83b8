"""The command line: it composes the services, and talks to a running gateway."""
