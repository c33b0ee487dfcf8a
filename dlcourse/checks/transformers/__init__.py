"""Unit 11: attention, and the networks that are built around it."""

from __future__ import annotations

from dlcourse.checks.exercise import Exercise
from dlcourse.checks.transformers.attending import ATTENTION
from dlcourse.checks.transformers.attending_back import ATTENTION_BACKWARD
from dlcourse.checks.transformers.block import PRE_NORM_BLOCK
from dlcourse.checks.transformers.caching import CACHED_ATTENTION
from dlcourse.checks.transformers.cost import BLOCK_COST
from dlcourse.checks.transformers.heads import MERGE_HEADS, SPLIT_HEADS
from dlcourse.checks.transformers.leak import FIND_THE_LEAK
from dlcourse.checks.transformers.masks import CAUSAL_MASK, PADDING_MASK
from dlcourse.checks.transformers.positions import SINUSOIDAL_POSITIONS
from dlcourse.checks.transformers.recalling import RECALL
from dlcourse.checks.transformers.rotation import ROTARY

EXERCISES: tuple[Exercise, ...] = (
    ATTENTION,
    CAUSAL_MASK,
    PADDING_MASK,
    ATTENTION_BACKWARD,
    SPLIT_HEADS,
    MERGE_HEADS,
    SINUSOIDAL_POSITIONS,
    ROTARY,
    PRE_NORM_BLOCK,
    FIND_THE_LEAK,
    BLOCK_COST,
    CACHED_ATTENTION,
    RECALL,
)
