"""Write a simulated scene: ``simulate_scene.py FOLDER [--size 300] [--seed 7]``."""

from __future__ import annotations

import argparse
from pathlib import Path

from scene import simulate_scene

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=simulate_scene.__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=300, help="pixels a side (default: 300)")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    print(simulate_scene(options.folder, size=options.size, seed=options.seed))
