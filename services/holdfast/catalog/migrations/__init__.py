"""The schema, one numbered file a step.  A file that has run anywhere is never changed."""
