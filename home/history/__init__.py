"""Sixty days of incidents for the demo, tests and screenshots; made through the product's own functions."""
