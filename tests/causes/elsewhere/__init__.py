"""Files that keep numbers for others, and files that read them there."""
