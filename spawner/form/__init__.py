"""The start form: what can be chosen, what of it fits now, the page, and the check of what comes back."""
