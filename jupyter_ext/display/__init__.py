"""What all capabilities share in a notebook: how a state looks, pictures that live, lines of magics."""
