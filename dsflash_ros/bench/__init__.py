"""Measurements behind `dsflash bench`.

Each module has functions that return rows; `report` prints and stores them.
"""
