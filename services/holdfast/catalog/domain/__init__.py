"""The rules of the catalog, as functions of plain values."""
