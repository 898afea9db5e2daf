"""What is to be said of a validation: kept in model files by key, told in the reader's language."""

from __future__ import annotations

from typing import Mapping, Union

from bdgf_core.translation import tr

FoldNote = Mapping[str, Union[str, int]]  # its ``kind`` and the values of the sentence


def fold_sentence(note: object) -> str:
    """The sentence of a :data:`FoldNote`; a sentence, as model files once held, stays as it is."""
    if not isinstance(note, Mapping):
        return str(note)
    sentences = {
        "one_sample": tr("Class {name} has one sample only; it is trained but not validated."),
        "one_place": tr(
            "Class {name} has {count} pixels in a single place, too few to keep some apart; it is trained but not "
            "validated. Draw another polygon elsewhere."
        ),
        "cut": tr(
            "Most pixels of class {name} lie in one polygon; it was cut into blocks, so its figures are somewhat "
            "optimistic."
        ),
        "shrunk_gap": tr(
            "Class {name} would have kept too few training pixels beside its test pixels; for it the gap shrank "
            "from {gap} to {least} pixels in {shrunk} of {folds} folds."
        ),
    }
    try:
        return sentences[str(note["kind"])].format(**note)
    except (KeyError, TypeError):  # of another version, or made by hand
        return str(dict(note))
