"""The data flow of cells: an abstract run of the notebook that keeps track of objects, not of their values."""
