"""Measurements behind `dsflash bench`: functions that return the rows of a table."""
