"""What is shown and how: style, measure, layout, and one writer a format; no torch."""
