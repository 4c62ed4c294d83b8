"""Routes, one file an area: typed in, one call, typed out."""
