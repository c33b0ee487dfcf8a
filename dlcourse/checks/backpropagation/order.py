"""The order in which a graph is walked: every parent before its children, and nothing that is not needed."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from dlcourse.checks.exercise import Exercise, Wrong
from dlcourse.drivers import Case, Opaque

Parents = dict[str, list[str]]


def topological_order(parents: Parents, root: str) -> list[str]:
    order: list[str] = []
    seen: set[str] = set()
    stack = [(root, False)]
    while stack:
        name, parents_done = stack.pop()
        if parents_done:
            order.append(name)
        elif name not in seen:
            seen.add(name)
            stack.append((name, True))  # comes up again when all its parents are done
            stack += [(parent, False) for parent in parents[name]]
    return order


def order_by_counting(parents: Parents, root: str) -> list[str]:
    found, todo = {root}, [root]
    for name in todo:  # grows while it is walked
        new = [parent for parent in dict.fromkeys(parents[name]) if parent not in found]
        found.update(new)
        todo += new
    waiting = {name: len(set(parents[name])) for name in found}
    children: dict[str, list[str]] = {name: [] for name in found}
    for name in found:
        for parent in set(parents[name]):
            children[parent].append(name)
    order, ready = [], [name for name in found if waiting[name] == 0]
    while ready:
        order.append(name := ready.pop())
        for child in children[name]:
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    return order


def order_by_generators(parents: Parents, root: str) -> list[str]:
    order: dict[str, None] = {}
    path = [(root, iter(parents[root]))]
    while path:
        name, rest = path[-1]
        new = next((parent for parent in rest if parent not in order), None)
        if new is None:
            order[name] = None
            path.pop()
        else:
            path.append((new, iter(parents[new])))
    return list(order)


LIST = "what comes back"
FOREIGN = "names that are not in this graph, or left from an earlier call"
MISSING = "names that the root depends on and that are missing"
STRANGERS = "names that the root does not depend on"
ROOT = "the root is in it"
REPEATED = "names that stand more than once"
LATE = "parents that come after one of their children"


def order_facts(case: Case, value: Any) -> dict[str, Any]:
    parents, root = case.args
    kind = form_of(value)
    facts: dict[str, Any] = dict.fromkeys((LIST, FOREIGN, MISSING, STRANGERS, ROOT, REPEATED, LATE), "not tried")
    facts[LIST] = kind
    if kind != "a list of names":
        return facts
    needed, given = needed_for(parents, root), set(value)
    place = {name: i for i, name in reversed(list(enumerate(value)))}
    late = ((p, n) for n in place for p in parents.get(n, ()) if p in place and place[p] > place[n])
    pair = next(late, None)
    whole = f" in {', '.join(value)}" if len(value) < 10 else ""
    return {
        LIST: kind,
        FOREIGN: some(given - parents.keys()),
        MISSING: some(needed - given),
        STRANGERS: some((given & parents.keys()) - needed),
        ROOT: root in given,
        REPEATED: some({name for name in given if value.count(name) > 1} if len(given) < len(value) else set()),
        LATE: f"{pair[0]} after {pair[1]}{whole}" if pair else "none",
    }


def form_of(value: Any) -> str:
    if value is None:
        return "None: is there a return?"
    if isinstance(value, tuple):
        return "a list of names" if all(isinstance(name, str) for name in value) else "a list, but not of names"
    if isinstance(value, Opaque):
        return value.type
    return {str: "a single string", np.ndarray: "an array", dict: "a dict"}.get(type(value), "something else")


def some(names: set[str]) -> str:
    first = sorted(names)[:4]
    return ", ".join(first) + (" ..." if len(names) > 4 else "") if names else "none"


def needed_for(parents: Parents, root: str) -> set[str]:
    needed, todo = {root}, [root]
    while todo:
        new = set(parents[todo.pop()]) - needed
        needed |= new
        todo += new
    return needed


def order_inputs(rng: np.random.Generator) -> list[Case]:
    chain = {f"n{i}": [f"n{i - 1}"] if i else [] for i in range(5_000)}
    ladder: Parents = {"r0": []}  # every rung is used twice: 2^12 paths
    for i in range(12):
        ladder |= {f"r{i + 1}": [f"s{i}", f"t{i}"], f"s{i}": [f"r{i}"], f"t{i}": [f"r{i}"]}
    short_and_long: Parents = {"L": ["p", "c"], "p": [], "c": ["b"], "b": ["p"]}
    return [
        Case(({"L": ["u", "v"], "x": [], "u": ["x"], "v": ["u"]}, "L")),
        Case(({"L": ["v", "u"], "w": ["L"], "v": ["u"], "x": [], "y": [], "u": ["x", "x"]}, "L")),
        Case((short_and_long, "L")),
        Case(({"L": ["c", "p"], "b": ["q", "p"], "c": ["b"], "p": ["q"], "q": []}, "L")),
        Case(({"c": ["b"], "b": ["a", "p"], "p": ["a"], "a": [], "L": ["c", "p", "a"]}, "L")),
        Case(({"f": ["c", "a", "b"], "d": ["f"], "a": [], "b": [], "c": ["e"], "e": ["b"]}, "f")),
        Case(({"L": ["a", "b", "c", "d", "e"], "e": ["d"], "d": ["c"], "c": ["b"], "b": ["a"], "a": []}, "L")),
        Case(({"L": ["a", "c", "p"], "a": ["x"], "c": ["y", "x"], "x": ["p"], "y": [], "p": []}, "L")),
        *(Case(random_graph(rng, size)) for size in (6, 9, 14)),
        Case(({"x": [], "y": ["x"]}, "x"), "a root without parents"),
        Case((ladder, "r12"), "a graph with many paths"),
        Case((chain, "n4999"), "a chain of 5,000 names"),
    ]


def random_graph(rng: np.random.Generator, size: int) -> tuple[Parents, str]:
    """Names without meaning in an order without meaning; the root is not the last one, so that some stay outside."""
    names = [
        f"{letter}{rng.integers(10, 99)}{i}"
        for i, letter in enumerate(rng.permutation(list("abcdefghijklmnop"))[:size])
    ]
    graph = {names[0]: list[str]()}
    for i, name in enumerate(names[1:], 1):
        graph[name] = [names[j] for j in rng.integers(max(0, i - 4), i, 2)]
    root = names[size - 2]
    graph[names[size - 1]] = [root, names[0]]
    return {names[i]: graph[names[i]] for i in rng.permutation(size)}, root


def order_recursive(parents: Parents, root: str) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for parent in parents[name]:
                visit(parent)
            order.append(name)

    visit(root)
    return order


def order_reversed(parents: Parents, root: str) -> list[str]:
    return topological_order(parents, root)[::-1]


def order_breadth_first(parents: Parents, root: str) -> list[str]:
    order, queue = [], deque([root])
    seen = {root}
    while queue:
        order.append(name := queue.popleft())
        for parent in parents[name]:
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return order[::-1]


def order_breadth_first_from_the_right(parents: Parents, root: str) -> list[str]:
    return order_breadth_first({name: names[::-1] for name, names in parents.items()}, root)


def order_by_steps_from_root(parents: Parents, root: str) -> list[str]:
    steps, queue = {root: 0}, deque([root])
    while queue:
        name = queue.popleft()
        for parent in parents[name]:
            if parent not in steps:
                steps[parent] = steps[name] + 1
                queue.append(parent)
    return sorted(steps, key=lambda name: -steps[name])


def order_depth_first_from_the_left(parents: Parents, root: str) -> list[str]:
    return order_depth_first({name: names[::-1] for name, names in parents.items()}, root)


def order_seen_on_push(parents: Parents, root: str) -> list[str]:
    order, seen, stack = [], {root}, [(root, False)]
    while stack:
        name, done = stack.pop()
        if done:
            order.append(name)
            continue
        stack.append((name, True))
        for parent in parents[name]:
            if parent not in seen:
                seen.add(parent)
                stack.append((parent, False))
    return order


def order_of_two_parents(parents: Parents, root: str) -> list[str]:
    return topological_order({name: [*dict.fromkeys(names)][:2] for name, names in parents.items()}, root)


def order_depth_first(parents: Parents, root: str) -> list[str]:
    order, stack, seen = [], [root], set()
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            order.append(name)
            stack += parents[name]
    return order[::-1]


def order_repeating(parents: Parents, root: str) -> list[str]:
    order, stack = [], [(root, False)]
    while stack:
        name, done = stack.pop()
        if done:
            order.append(name)
        else:
            stack.append((name, True))
            stack += [(parent, False) for parent in parents[name]]
    return order


def order_of_everything(parents: Parents, root: str) -> list[str]:
    return topological_order({**parents, "": list(parents)}, "")[:-1]


def order_without_root(parents: Parents, root: str) -> list[str]:
    return topological_order(parents, root)[:-1]


def order_without_leaves(parents: Parents, root: str) -> list[str]:
    return [name for name in topological_order(parents, root) if parents[name]]


def order_one_level(parents: Parents, root: str) -> list[str]:
    return [*dict.fromkeys(parents[root]), root]


def order_as_given(parents: Parents, root: str) -> list[str]:
    needed = set(topological_order(parents, root))
    return [name for name in parents if name in needed]


LEVELS = (
    "You walk level by level from the root and turn the list round. A name that is reached by a short and a long way "
    "is put down at the short one, so that its parents and children can trade places. When is it safe to put a name down?"
)
TOO_EARLY = (
    "A name is put down when it is first reached, and the list is turned round at the end. With two ways to a name that is "
    "too early. What must have happened to all parents of a name before it is put down?"
)

TOPOLOGICAL_ORDER = Exercise(
    id="backpropagation.topological_order",
    kind="function",
    title="Parents before children",
    points=2,
    minutes=20,
    difficulty=2,
    function="topological_order",
    reference=topological_order,
    alternatives=(order_by_counting, order_by_generators),
    inputs=order_inputs,
    facts=order_facts,
    wrong=(
        Wrong(
            "recursive",
            order_recursive,
            "The order is right, but your function calls itself, and Python allows only some 1,000 calls inside each other: "
            "a long chain ends in a RecursionError. Can a list of what is still to do take the place of the calls?",
        ),
        Wrong(
            "reversed",
            order_reversed,
            "Every child stands before its parents: this is the order of the backward pass. "
            "Which one name must be the last in the order that is asked for?",
        ),
        Wrong(
            "breadth-first",
            order_breadth_first,
            LEVELS,
        ),
        Wrong(
            "depth-first-too-early",
            order_depth_first,
            TOO_EARLY,
        ),
        Wrong("breadth-first-from-the-right", order_breadth_first_from_the_right, LEVELS),
        Wrong("shortest-way", order_by_steps_from_root, LEVELS),
        Wrong("depth-first-too-early-from-the-left", order_depth_first_from_the_left, TOO_EARLY),
        Wrong(
            "seen-too-early",
            order_seen_on_push,
            "A name is marked as seen when it is noted down to do, long before its turn. When another child needs it sooner, it is "
            "skipped there and comes after that child. At which moment may a name be marked as seen?",
        ),
        Wrong(
            "two-parents-only",
            order_of_two_parents,
            "Only two parents of a name are followed; a name may have three or more. What in your code counts on two?",
        ),
        Wrong(
            "names-repeated",
            order_repeating,
            "A name that is reached by several ways stands in the list several times, once for each way. "
            "How can you notice that you have been somewhere before?",
        ),
        Wrong(
            "strangers-included",
            order_of_everything,
            "The order is right, but it holds all names of the graph, also those that the root does not depend on. "
            "From where should the walk start?",
        ),
        Wrong(
            "root-missing",
            order_without_root,
            "The order is right, but the root itself is not in it. From which name does the backward pass start?",
        ),
        Wrong(
            "leaves-missing",
            order_without_leaves,
            "Names without parents are missing, and those are the inputs and weights. What happens to a name with an empty list in your loop?",
        ),
        Wrong(
            "one-level",
            order_one_level,
            "Only the root and its own parents are there. Where do the parents of the parents come from?",
        ),
        Wrong(
            "dict-order",
            order_as_given,
            "These are the right names in the order of the dictionary. Nothing says that it was filled parents first: "
            "how can you read the order from the parents themselves?",
        ),
    ),
    hints=(
        "Take the first graph and write the order down by hand. Which name did you have to hold back, and until when?",
        "A name may be put down once all its parents have been. Keep a list of what is to do; when you meet a name for the first "
        "time, do not put it down yet: note that it comes up again after its parents.",
        "A stack of pairs (name, parents done?). Popped with True: put the name down. Popped with False and new: mark it seen, "
        "push (name, True), then push (parent, False) for each parent.",
    ),
    unlocks="Walked from its end, your order is the backward pass.",
)
