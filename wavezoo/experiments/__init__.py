"""Committed records of measurements, and the tables that are made from them."""

from wavezoo.experiments.records import Column, Machine, Record, read_record, write_record
from wavezoo.experiments.tables import render, update

__all__ = ["Column", "Machine", "Record", "read_record", "render", "update", "write_record"]
