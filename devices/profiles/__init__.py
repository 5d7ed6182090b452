"""Where the time of an inference goes: a runner's operators joined with the model file's own nodes."""
