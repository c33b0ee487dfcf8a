"""Reinforcement learning, one idea a file: environments, bandits, tables of values, and networks in their place.

``envs`` and ``gridworld`` are where an agent acts; ``bandits`` and ``tabular`` need NumPy alone; ``replay`` and the files
in ``*_torch`` learn with networks. Each file can be read top to bottom on its own.
"""
