"""Measuring artifacts on devices."""
