"""The catalog: what is true.  The one service that speaks to Postgres."""
