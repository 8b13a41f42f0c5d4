"""Types of artifacts."""
