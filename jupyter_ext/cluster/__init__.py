"""Where resources live."""
