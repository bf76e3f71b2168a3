"""Checkpoints of optimizers in safetensors files."""

from .content import load, save

__all__ = ["load", "save"]
