"""Places where model files are timed: this machine, phones, boards."""
