"""The gateway: REST, problem details and the event stream.  The catalog decides everything."""
