"""What is known of other people's code: magics, modules, methods, and what they touch."""
