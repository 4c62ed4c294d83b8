"""The recovery kit as a page to print and as a file: nothing of Holdfast is needed to use it."""
