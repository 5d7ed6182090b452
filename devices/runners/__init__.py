"""What turns one artifact and one plan into raw samples."""
