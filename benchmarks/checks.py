"""How many mistakes the checks know, whether each is named as itself, and how long a check takes.

    OMP_NUM_THREADS=1 python benchmarks/checks.py          # a table
    OMP_NUM_THREADS=1 python benchmarks/checks.py --json   # the same for programs

The import time is the median of alternating fresh processes: ``import numpy`` against ``import numpy, dlcourse``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

ROUNDS = 15


def seconds_to_import(statement: str) -> float:
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def import_cost() -> float:
    """Milliseconds that dlcourse adds to NumPy's own import."""
    alone, both = [], []
    for _ in range(ROUNDS):
        alone.append(seconds_to_import("import numpy"))
        both.append(seconds_to_import("import numpy, dlcourse"))
    return 1000 * (statistics.median(both) - statistics.median(alone))


def main(as_json: bool) -> None:
    from dlcourse.checks import TOPICS, catalog, evaluate

    rows, times = [], []
    for topic in TOPICS:
        exercises = [exercise for exercise in catalog() if exercise.topic == topic]
        wrongs = named = 0
        for exercise in exercises:
            for wrong in exercise.wrong:
                started = time.process_time()
                verdict = evaluate(exercise.id, exercise.wrong_answer(wrong))
                times.append((time.process_time() - started, exercise.id))
                wrongs += 1
                named += verdict.mistake == wrong.name
        rows.append({"topic": topic, "exercises": len(exercises), "wrong_answers": wrongs, "named": named})
    result = {
        "topics": rows,
        "median_check_s": statistics.median(seconds for seconds, _ in times),
        "worst_check_s": max(times)[0],
        "worst_check": max(times)[1],
        "import_ms_over_numpy": import_cost(),
    }
    if as_json:
        print(json.dumps(result, indent=1))
        return
    print(f"{'topic':24} exercises  wrong answers  named as themselves")
    for row in rows:
        print(f"{row['topic']:24} {row['exercises']:9d}  {row['wrong_answers']:13d}  {row['named']:19d}")
    print(
        f"one check of a wrong answer: median {result['median_check_s']:.3f} s, worst {result['worst_check_s']:.2f} s"
    )
    print(f"({result['worst_check']}); import dlcourse adds {result['import_ms_over_numpy']:.1f} ms to NumPy's import")


if __name__ == "__main__":
    main("--json" in sys.argv[1:])
