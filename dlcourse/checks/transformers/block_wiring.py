"""Ways in which x may go through the two norms and the two branches of a block, all of them wrong."""

from __future__ import annotations

from typing import Any


def post_norm(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    x = norm_1(x + attend(x))
    return norm_2(x + think(x))


def residual_of_the_normed(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    x = norm_1(x)
    x = x + attend(x)
    x = norm_2(x)
    return x + think(x)


def norm_behind_the_branch(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    x = x + norm_1(attend(x))
    return x + norm_2(think(x))


def second_from_the_start(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    return x + think(norm_2(x + attend(norm_1(x))))


def side_by_side(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    return x + attend(norm_1(x)) + think(norm_2(x))


def network_first(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    x = x + think(norm_2(x))
    return x + attend(norm_1(x))


def second_branch_from_the_attention(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    a = attend(norm_1(x))
    return x + a + think(norm_2(a))


def second_branch_from_the_first_norm(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    n = norm_1(x)
    return x + attend(n) + think(n)


def input_twice(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    y = x + attend(norm_1(x))
    return x + y + think(norm_2(y))


def half_post_norm(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    x = x + attend(norm_1(x))
    return norm_2(x + think(x))


def norm_at_the_end(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    x = x + attend(norm_1(x))
    return norm_2(x + think(norm_2(x)))


def first_residual_of_the_normed(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    x = norm_1(x)
    x = x + attend(x)
    return x + think(norm_2(x))


def second_residual_of_the_normed(x: Any, norm_1: Any, attend: Any, norm_2: Any, think: Any) -> Any:
    x = norm_2(x + attend(norm_1(x)))
    return x + think(x)
