"""Attention that goes on where it stopped: keys and values of what was read are kept (Shazeer 2019, section 2.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case

Array = NDArray[Any]


def cached_attention(q: Array, k: Array, v: Array, cache: Any) -> Any:
    if cache is not None:
        k, v = np.concatenate([cache[0], k], axis=2), np.concatenate([cache[1], v], axis=2)
    t, T = q.shape[2], k.shape[2]
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])  # (N, h, t, T)
    scores = np.where(np.tri(t, T, T - t, dtype=bool), scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ v, (k, v)


def cached_attention_by_places(q: Array, k: Array, v: Array, cache: Any) -> Any:
    keys, values = cache or (k[:, :, :0], v[:, :, :0])
    start = keys.shape[2]
    keys, values = (np.concatenate(both, 2) for both in ((keys, k), (values, v)))
    here, there = start + np.arange(q.shape[2]), np.arange(keys.shape[2])
    scores = np.einsum("nhtd,nhsd->nhts", q, keys) * q.shape[3] ** -0.5
    scores[:, :, there > here[:, None]] = -1e30
    scores -= scores.max(axis=3)[..., None]
    weights = np.exp(scores)
    weights /= weights.sum(axis=3)[..., None]
    return [np.einsum("nhts,nhsd->nhtd", weights, values), [keys, values]]


def cached_attention_one_by_one(q: Array, k: Array, v: Array, cache: Any) -> Any:
    N, h, t, d = q.shape
    keys = [] if cache is None else list(np.moveaxis(cache[0], 2, 0))
    values = [] if cache is None else list(np.moveaxis(cache[1], 2, 0))
    out = np.zeros((N, h, t, d))
    for step in range(t):
        keys.append(k[:, :, step])
        values.append(v[:, :, step])
        scores = np.stack([(q[:, :, step] * key).sum(axis=-1) for key in keys], axis=-1) / np.sqrt(d)  # (N, h, T)
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        weights = powers / powers.sum(axis=-1, keepdims=True)
        out[:, :, step] = np.einsum("nht,tnhd->nhd", weights, np.array(values))
    return out, (np.stack(keys, axis=2), np.stack(values, axis=2))


Joined = Callable[[Array, Array], Array]
Masked = Callable[[int, int], Any]


def behind(old: Array, new: Array) -> Array:
    return np.concatenate([old, new], axis=2)


def softmax(scores: Array, axis: int = -1) -> Array:
    highest = scores.max(axis, keepdims=True)
    powers = np.exp(scores - np.where(np.isinf(highest), 0, highest))
    total = powers.sum(axis, keepdims=True)
    return np.asarray(powers / np.where(total == 0, 1, total))


def variant(
    keys: Joined = behind,
    values: Joined = behind,
    mask: Masked = lambda t, T: np.tri(t, T, T - t, dtype=bool),
    first: Masked = lambda t, T: np.tri(t, T, T - t, dtype=bool),
    divisor: Callable[[int, int], float] = lambda d, T: float(np.sqrt(d)),
    shared: Callable[[Array], Array] = softmax,
    hidden: float = -np.inf,
    kept: Callable[[Array, Array, Array, Array, Any], Any] = lambda K, V, k, v, cache: (K, V),
    handed: Callable[[Array, Any], Any] = lambda out, cache: (out, cache),
) -> Callable[..., Any]:
    """The lookup with one step exchanged; ``mask`` where there is a cache, ``first`` where there is none."""

    def answer(q: Array, k: Array, v: Array, cache: Any) -> Any:
        K, V = (k, v) if cache is None else (keys(cache[0], k), values(cache[1], v))
        t, T = q.shape[2], K.shape[2]
        with np.errstate(all="ignore"):
            scores = q @ K.swapaxes(-1, -2) / divisor(q.shape[-1], T)
            allowed = (first if cache is None else mask)(t, T)
            return handed(shared(np.where(allowed, scores, hidden)) @ V, kept(K, V, k, v, cache))

    return answer


def everything(t: int, T: int) -> Any:
    return np.ones((t, T), dtype=bool)


def shifted_by(k: int) -> Masked:
    return lambda t, T: np.tri(t, T, T - t + k, dtype=bool)


def new_only(t: int, T: int) -> Any:
    return np.tri(t, T, T - t, dtype=bool) & (np.arange(T) >= T - t)


def old_and_itself(t: int, T: int) -> Any:
    return (np.arange(T) < T - t) | (np.arange(T) == T - t + np.arange(t)[:, None])


def itself_and_later(t: int, T: int) -> Any:
    return ~np.tri(t, T, T - t - 1, dtype=bool)


def new_keys_divided(q: Array, k: Array, v: Array, cache: Any) -> Any:
    root = np.sqrt(q.shape[-1])
    return cached_attention(q * root, k / root, v, cache)


def old_only(t: int, T: int) -> Any:
    return np.broadcast_to(np.arange(T) < T - t, (t, T))


def alone(q: Array, k: Array, v: Array, cache: Any) -> Any:
    """Looks at the new piece only, and yet keeps everything."""
    out, _ = cached_attention(q, k, v, None)
    return out, (k, v) if cache is None else (behind(cache[0], k), behind(cache[1], v))


def hidden_behind_the_softmax(q: Array, k: Array, v: Array, cache: Any) -> Any:
    """The weights of what is hidden are struck out at the end, so that the others no longer sum to 1."""
    _, (K, V) = cached_attention(q, k, v, cache)
    t, T = q.shape[2], K.shape[2]
    return softmax(q @ K.swapaxes(-1, -2) / np.sqrt(q.shape[-1])) * np.tri(t, T, T - t) @ V, (K, V)


def two_softmaxes(q: Array, k: Array, v: Array, cache: Any) -> Any:
    """One softmax over the cache, another one over the new piece."""
    out, kept = cached_attention(q, k, v, cache)
    if cache is None:
        return out, kept
    piece = cached_attention(q, k, v, None)[0]
    return softmax(q @ cache[0].swapaxes(-1, -2) / np.sqrt(q.shape[-1])) @ cache[1] + piece, kept


def plain_softmax(scores: Array) -> Array:
    """Without a thought of rows in which everything is hidden: nan."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def one_maximum(scores: Array) -> Array:
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def old_pair_turned_round(q: Array, k: Array, v: Array, cache: Any) -> Any:
    return cached_attention(q, k, v, cache and (cache[1], cache[0]))


def cached_inputs(rng: np.random.Generator) -> list[Case]:
    def case(N: int, h: int, S: int, t: int, d: int, label: str = "", scale: float = 1.0) -> Case:
        q, k, v = (size * rng.normal(size=(N, h, t, d)) for size in (scale, scale, 1.0))
        cache = (scale * rng.normal(size=(N, h, S, d)), rng.normal(size=(N, h, S, d))) if S else None
        return Case((q, k, v, cache), label)

    k, v = 60 * rng.normal(size=(2, 2, 4, 3)), rng.normal(size=(2, 2, 4, 3))
    return [
        case(1, 1, 2, 1, 2),
        case(2, 2, 0, 4, 3),
        case(2, 3, 5, 3, 4),
        case(3, 2, 2, 4, 3),
        case(1, 1, 3, 3, 3),
        case(2, 2, 6, 1, 5),
        case(1, 2, 21, 3, 2),
        case(2, 2, 4, 3, 3, "large scores", scale=40.0),
        case(1, 2, 0, 1, 3, "the very first position"),
        Case((-k, k, v, None), "a visible score far below hidden ones"),  # each query is most unlike its own key
    ]


CACHED_ATTENTION = Exercise(
    id="transformers.cached_attention",
    kind="function",
    title="Go on reading",
    points=3,
    minutes=25,
    difficulty=3,
    function="cached_attention",
    reference=cached_attention,
    alternatives=(cached_attention_by_places, cached_attention_one_by_one),
    inputs=cached_inputs,
    returns=("out", "cache"),
    blame=("cache", "out"),
    forbid=("torch", "dlcourse.nn", "dlcourse.ops"),
    wrong=(
        # --- what is kept
        Wrong(
            "new-before-old",
            variant(keys=lambda old, new: behind(new, old), values=lambda old, new: behind(new, old)),
            "The new keys and values stand *before* the old ones in your cache, so that the mask no longer hides what it should. Which of them were read first?",
        ),
        Wrong(
            "new-before-old-unmasked",
            variant(keys=lambda old, new: behind(new, old), values=lambda old, new: behind(new, old), mask=lambda t, T: np.tri(t, T, dtype=bool) | (np.arange(T) >= t)),
            "The output is right, but the new keys and values stand *before* the old ones in your cache, and the next call would take them for the oldest. Which of them were read first?",
        ),
        Wrong(
            "keys-in-another-order",
            variant(keys=lambda old, new: behind(new, old)),
            "The values are appended behind the old ones, the keys before them, so keys and values no longer belong together. Which of them were read first?",
        ),
        Wrong(
            "values-in-another-order",
            variant(values=lambda old, new: behind(new, old)),
            "The keys are appended behind the old ones, the values before them, so keys and values no longer belong together. Which of them were read first?",
        ),
        Wrong(
            "along-the-heads",
            variant(keys=lambda old, new: np.concatenate([old, new], axis=1), values=lambda old, new: np.concatenate([old, new], axis=1)),
            "Old and new are joined along axis 1, that of the heads, which fits only where both pieces are equally long. On which axis do positions lie?",
        ),
        Wrong(
            "along-the-batch",
            variant(keys=lambda old, new: np.concatenate([old, new], axis=0), values=lambda old, new: np.concatenate([old, new], axis=0)),
            "Old and new are joined along axis 0, that of the examples, which fits only where both pieces are equally long. On which axis do positions lie?",
        ),
        Wrong(
            "newest-kept-only",
            variant(kept=lambda K, V, k, v, cache: (k, v)),
            "`out` is right, but your cache holds the newest piece alone: at the next call, what came before is forgotten. What must the cache hold after two pieces?",
        ),
        Wrong(
            "cache-as-it-came",
            variant(kept=lambda K, V, k, v, cache: (k, v) if cache is None else cache),
            "`out` is right, but the cache goes back as it came: the newest piece is not in it. What must the cache hold after two pieces?",
        ),
        Wrong(
            "cache-given-back",
            variant(kept=lambda K, V, k, v, cache: cache),
            "`out` is right, but the cache goes back as it came, None at the first call, so nothing is ever kept. What must the cache hold after the first piece?",
        ),
        Wrong(
            "values-first-in-the-cache",
            variant(kept=lambda K, V, k, v, cache: (V, K)),
            "`out` is right, but in your cache the values stand before the keys. In which order does the task name them?",
        ),
        Wrong(
            "keys-for-values",
            variant(kept=lambda K, V, k, v, cache: (K, K)),
            "`out` is right, but your cache holds the keys twice. What should its second part be?",
        ),
        Wrong(
            "old-twice",
            variant(keys=lambda old, new: np.concatenate([old, old, new], axis=2), values=lambda old, new: np.concatenate([old, old, new], axis=2)),
            "The old keys and values are in your cache twice. Are they joined once too often?",
        ),
        Wrong(
            "new-twice",
            variant(keys=lambda old, new: np.concatenate([old, new, new], axis=2), values=lambda old, new: np.concatenate([old, new, new], axis=2)),
            "The new keys and values are in your cache twice. Are they joined once too often?",
        ),
        Wrong(
            "oldest-dropped",
            variant(kept=lambda K, V, k, v, cache: (K, V) if cache is None else (K[:, :, K.shape[2] - cache[0].shape[2] :], V[:, :, K.shape[2] - cache[0].shape[2] :])),
            "`out` is right, but your cache never grows: for each new position the oldest one is dropped. How many positions should it hold after this call?",
        ),
        Wrong(
            "added-up",
            variant(kept=lambda K, V, k, v, cache: (K.sum(2, keepdims=True), V.sum(2, keepdims=True))),
            "`out` is right, but your cache holds sums over all positions, like the state of an RNN. What does a later query need from each position?",
        ),
        Wrong(
            "cache-ignored",
            lambda q, k, v, cache: cached_attention(q, k, v, None),
            "What came in the cache is neither looked at nor kept: every piece is read as if it were the first. With what must the new keys and values be joined?",
        ),
        Wrong(
            "old-pair-turned-round",
            old_pair_turned_round,
            "From the cache that came in you take the values for keys and the keys for values. In which order does the task name them?",
        ),
        Wrong(
            "kept-divided",
            variant(kept=lambda K, V, k, v, cache: (K / np.sqrt(K.shape[-1]), V)),
            "`out` is right, but the keys in your cache are divided by √d, and the next call divides them again. What should be divided: what is kept, or the scores?",
        ),
        Wrong(
            "new-keys-divided",
            new_keys_divided,
            "You divide the new keys by √d before they are kept, so they do not fit those that come in the cache as they were. What should be divided: what is kept, or the scores?",
        ),
        Wrong(
            "keys-alone",
            variant(kept=lambda K, V, k, v, cache: K),
            "`out` is right, but your cache holds the keys alone. What does a later query take away from the positions it looks at?",
        ),
        Wrong(
            "out-alone",
            variant(handed=lambda out, cache: out),
            "You hand back `out` alone. Where does the next call get the keys and values of this one from?",
        ),
        Wrong(
            "cache-first",
            variant(handed=lambda out, cache: (cache, out)),
            "Output and cache are exchanged. In which order does the task name them?",
        ),
        Wrong(
            "three-results",
            variant(handed=lambda out, cache: (out, *cache)),
            "You hand back three arrays. How many results does the task name, and what is the second one made of?",
        ),
        # --- who sees whom
        Wrong(
            "mask-not-shifted",
            variant(mask=lambda t, T: np.tri(t, T, dtype=bool)),
            "With a cache, the first new query sees only the *oldest* key: the triangle begins at column 0. At which position of the whole text does the new piece begin?",
        ),
        Wrong(
            "no-mask",
            variant(mask=everything, first=everything),
            "New positions see later ones of their own piece. Right where the piece is a single position; what keeps a query from keys that come after it?",
        ),
        Wrong(
            "no-mask-with-a-cache",
            variant(mask=everything),
            "Right without a cache. With one, new positions see later ones of their own piece. Is a piece of several positions causal inside?",
        ),
        Wrong(
            "no-mask-at-first",
            variant(first=everything),
            "Right with a cache. Without one, positions see later ones of their own piece. Is the very first piece causal inside?",
        ),
        Wrong(
            "one-too-far",
            variant(mask=shifted_by(1), first=shifted_by(1)),
            "Each new position sees one key too many, the next one of its piece. By how much is the triangle shifted, if S positions stand in the cache?",
        ),
        Wrong(
            "one-too-far-with-a-cache",
            variant(mask=shifted_by(1)),
            "Right without a cache. With one, each new position sees the next one of its piece as well. By how much is the triangle shifted, if S positions stand in the cache?",
        ),
        Wrong(
            "not-itself",
            variant(mask=shifted_by(-1), first=shifted_by(-1)),
            "No new position sees its own key. By how much is the triangle shifted, if S positions stand in the cache?",
        ),
        Wrong(
            "not-itself-with-a-cache",
            variant(mask=shifted_by(-1)),
            "Right without a cache. With one, no new position sees its own key. By how much is the triangle shifted, if S positions stand in the cache?",
        ),
        Wrong(
            "not-itself-nan",
            variant(mask=shifted_by(-1), first=shifted_by(-1), shared=plain_softmax),
            "No new position sees its own key, and the very first one sees nothing at all: its softmax divides 0 by 0. By how much is the triangle shifted, if S positions stand in the cache?",
        ),
        Wrong(
            "itself-and-later",
            variant(mask=itself_and_later, first=itself_and_later),
            "Queries see their own key and *later* ones: the triangle lies on the wrong side. In which direction should a new position look?",
        ),
        Wrong(
            "old-and-itself-always",
            variant(mask=old_and_itself, first=old_and_itself),
            "A new position sees the cache and itself, but not the new ones before it. Who came before the third of a piece?",
        ),
        Wrong(
            "old-and-itself",
            variant(mask=old_and_itself),
            "Right without a cache. With one, a new position sees the cache and itself, but not the new ones before it. Who came before the third of a piece?",
        ),
        Wrong(
            "old-only",
            variant(mask=old_only),
            "Right without a cache. With one, new positions see the cache alone and nothing of their own piece, not even themselves. What may a query see?",
        ),
        Wrong(
            "new-only",
            alone,
            "The cache grows as it should, but nobody looks into it: new positions see their own piece alone. Which keys should a query meet?",
        ),
        Wrong(
            "future-only",
            variant(mask=lambda t, T: ~np.tri(t, T, T - t, dtype=bool), first=lambda t, T: ~np.tri(t, T, T - t, dtype=bool)),
            "The mask is inverted: queries see later keys only. What does True mean in your mask?",
        ),
        # --- the lookup itself
        Wrong(
            "scale-missing",
            variant(divisor=lambda d, T: 1.0),
            "The cache is right. The scores are not divided by √d. By what does attention divide them?",
        ),
        Wrong(
            "divided-by-d",
            variant(divisor=lambda d, T: d),
            "The cache is right. The scores are divided by d. Which power of d does the formula name?",
        ),
        Wrong(
            "root-of-the-length",
            variant(divisor=lambda d, T: float(np.sqrt(T))),
            "The cache is right. The scores are divided by the root of the number of keys. Of how many products is one score the sum?",
        ),
        Wrong(
            "softmax-over-queries",
            variant(shared=lambda s: softmax(s, -2)),
            "The cache is right. The softmax goes over the queries. Over which axis do the candidates of one query lie?",
        ),
        Wrong(
            "hidden-by-0",
            variant(hidden=0.0),
            "The cache is right. The scores of hidden keys are set to 0, and e⁰ is no small weight. Which score has a weight of 0?",
        ),
        Wrong(
            "hidden-by-a-hundred",
            variant(hidden=-100.0),
            "Right on scores of ordinary size. But hidden keys have the score -100, and a visible one may lie far below that. Which number is smaller than every score?",
        ),
        Wrong(
            "hidden-behind-the-softmax",
            hidden_behind_the_softmax,
            "The cache is right. Hidden keys take part in the softmax and lose their weights only afterwards, so the others no longer sum to 1. When must they be hidden?",
        ),
        Wrong(
            "two-softmaxes",
            two_softmaxes,
            "The cache is right. It looks as if the cache and the new piece had a softmax each, so that the weights of one query sum to 2. Over which keys does its softmax go?",
        ),
        Wrong(
            "one-maximum",
            variant(shared=one_maximum),
            "Right on scores of ordinary size. You subtract the largest score of the whole array, and far below it whole rows become 0. Whose largest score should be subtracted?",
        ),
        Wrong(
            "overflow",
            variant(shared=lambda s: np.exp(s) / np.exp(s).sum(-1, keepdims=True)),
            "Right on scores of ordinary size. With large ones the exponential overflows. What may you subtract from a row of scores without changing its softmax?",
        ),
    ),
    hints=(
        "Join old and new first, along the axis of positions. What is then different from exercise 1? Only that there are fewer queries than keys.",
        "With S positions in the cache and t new ones, the scores are (N, h, t, S + t). New query i is number S + i of the text: it may see keys 0 to S + i.",
        "`np.concatenate([cache[0], k], axis=2)` and the same for the values; the mask is `np.tri(t, S + t, S, dtype=bool)`: a triangle that begins S columns further right.",
    ),
    unlocks="Writing the next symbol now costs one position's work, however long the text has become.",
)  # fmt: skip
