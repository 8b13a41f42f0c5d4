"""The Hub of one machine, idle servers, and what a user's servers panel asks."""
