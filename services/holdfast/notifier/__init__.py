"""The notifier: who is told, and how."""
