"""One function a question: load, decide, act."""
