"""What the catalog keeps in Postgres: one module an aggregate, its SQL beside it."""
