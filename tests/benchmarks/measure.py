"""What the benchmarks share: the work everybody is timed on, timing of whole commands, tables."""

import subprocess
import sys
import time

import pandas as pd

TRAIN, VALIDATION, EPOCHS, BATCH = 500, 500, 40, 32

SPEC = """\
name: work
dataset: {{name: digits, train: {train}, validation: {validation}, test: 700}}
architecture:
  widths: [{width}]
  layers:
    - Conv2D: {{filters: width, kernel_size: 3, activation: relu}}
    - Conv2D: {{filters: 2*width, kernel_size: 3, activation: relu}}
    - Flatten
    - Dense: {{units: classes}}
grid:
  penalties: [l1, l2]
  lambdas: {lambdas}
  seeds: {seeds}
training:
  optimizer: {{SGD: {{learning_rate: 0.05, momentum: 0.9}}}}
  batch_size: {batch}
  epochs: {epochs}
"""
LAMBDAS = [10.0 ** (-k / 2) for k in range(3, 13)]


def spec(width, trials, epochs=EPOCHS):
    """The text of a spec with two penalties, ten lambdas and as many seeds as make `trials`; fewer lambdas for few."""
    lambdas = LAMBDAS[: max(1, min(10, trials // 2))]
    seeds = max(1, round(trials / (2 * len(lambdas))))
    return SPEC.format(width=width, lambdas=[f"{lam:.6g}" for lam in lambdas], seeds=seeds, epochs=epochs, batch=BATCH,
                       train=TRAIN, validation=VALIDATION).replace("'", "")  # fmt: skip


def work(width, epochs=EPOCHS):
    """Multiplications and additions of one trial: three passes a training image, one a scored image."""
    forward = 2 * (36 * 9 * width + 16 * 9 * width * 2 * width + 16 * 2 * width * 10)
    steps = -(-TRAIN // BATCH)
    return forward * (3 * steps * BATCH * epochs + VALIDATION * (epochs + 1) + 700)


def seconds(commands):
    """Wall time until all commands, started together, have ended; what they printed."""
    started = time.perf_counter()
    running = [subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for command in commands]  # fmt: skip
    outputs = [process.communicate() for process in running]
    spent = time.perf_counter() - started
    for process, (_, errors) in zip(running, outputs, strict=True):
        if process.returncode:
            sys.exit(f"{' '.join(map(str, process.args))} failed:\n{errors}")
    return spent, [out for out, _ in outputs]


def regsearch(folder, width, trials, *options, epochs=EPOCHS):
    """Wall time of a whole `regsearch run` in a fresh folder."""
    path = folder / f"{width}-{trials}-{epochs}-{len(list(folder.iterdir()))}"
    path.mkdir()
    (path / "spec.yaml").write_text(spec(width, trials, epochs))
    command = [
        sys.executable,
        "-m",
        "regsearch",
        "run",
        path / "spec.yaml",
        "--out",
        path / "out",
        "--quiet",
        *options,
    ]
    spent, _ = seconds([command])
    made = len((path / "out" / "trials.csv").read_text().splitlines()) - 1
    if made != trials:
        sys.exit(f"expected {trials} trials, got {made}")
    return spent


def show(rows, csv):
    """Prints the table and writes it as CSV where asked."""
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    if csv:
        table.to_csv(csv, index=False, float_format="%.6g")
