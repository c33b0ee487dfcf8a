"""Whole networks: each on the engine of the course, and beside it in PyTorch (``*_torch.py``) under the same names."""
