"""Attention as a device computes it: kernels, masks, packed rows."""
