"""Every trial exactly once: runner, queue, packs, executor, progress.

Empty on purpose: workers import ``running.measure``, and a facade here would load Optuna in each.
"""
