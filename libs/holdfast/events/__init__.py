"""What the services say to each other: events on the bus, and queries of the catalog."""
