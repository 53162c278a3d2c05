"""How good is a translation? BLEU and chrF, counted by sacrebleu so that figures compare with others'."""

from collections.abc import Sequence
from typing import NamedTuple


class TranslationScores(NamedTuple):
    """Scores of n translations, from 0 to 100; the signatures say exactly how they were counted.

    bleu: how many runs of 1 to 4 words are right (Papineni et al., 2002, ACL P02-1040); chrf: the same for
    runs of 1 to 6 characters, so that a wrong ending costs less (Popovic, 2015, ACL W15-3049).
    """

    bleu: float
    chrf: float
    n: int
    signatures: tuple[str, str]

    def __repr__(self) -> str:
        return f"BLEU {self.bleu:.2f}, chrF {self.chrf:.2f} ({self.n:,} translations; {self.signatures[0]})"


def translation_scores(
    hypotheses: Sequence[str], references: Sequence[str] | Sequence[Sequence[str]]
) -> TranslationScores:
    """Compare translations with their references: one string for each, or several that are all right.

    Both scores are of the whole corpus, not means over its sentences. Needs the package sacrebleu (Post,
    2018, arXiv 1804.08771); ImportError says how to get it. ValueError where the numbers do not fit.
    """
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise ImportError("translation_scores needs the package sacrebleu: pip install sacrebleu") from error
    many = [[r] if isinstance(r, str) else list(r) for r in references]
    if len(hypotheses) != len(many) or not many or not all(many):
        raise ValueError(
            f"{len(hypotheses)} hypotheses and {len(many)} references: expected as many of both, at least "
            "one, and no empty list of references"
        )
    most = max(map(len, many))
    streams = [[refs[k] if k < len(refs) else None for refs in many] for k in range(most)]
    metrics = BLEU(), CHRF()
    bleu, chrf = (metric.corpus_score(list(hypotheses), streams).score for metric in metrics)
    signatures = tuple(str(metric.get_signature()) for metric in metrics)
    return TranslationScores(bleu, chrf, len(many), signatures)
