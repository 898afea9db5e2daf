"""A stand-in for the engine: it speaks the engine's events and writes small files, in no time and without torch."""
