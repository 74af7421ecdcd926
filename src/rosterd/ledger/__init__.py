"""What the targets acknowledged."""
