"""Servers that Holdfast brings along: NATS and Postgres from their wheels."""
