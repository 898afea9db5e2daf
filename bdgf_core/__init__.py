"""BDGF: balanced diffusion-guided fusion of two co-located rasters into a land-cover map.

The verbs are plain functions: ``pretrain``, ``train``, ``classify`` and ``info``, each in the module
of its name. ``python -m bdgf_core VERB`` runs them as a process of their own.
"""

__version__ = "0.1.0"
