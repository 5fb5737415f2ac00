"""The only rooms that touch live tensors: walker, recorder, moments."""
