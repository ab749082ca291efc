"""A pretend model service whose health one changes by a button, and what watches it. Imports no room but `common`."""
