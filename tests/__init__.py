"""The tests are a package, so that no library that brings one of this name stands before it."""
