"""What comes in over REST, one struct a request, and the answers that are no catalog view."""
