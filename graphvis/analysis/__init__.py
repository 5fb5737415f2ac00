"""Pure reasoning on graphs and traces: joining, comparing, diagnosing, folding; no torch."""
