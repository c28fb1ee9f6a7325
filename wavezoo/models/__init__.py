"""Backbones built from wave layers."""
