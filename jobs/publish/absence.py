"""What it means that a pair of zones has no row: the same words in a README, in exports and on a map."""

from jobs.publish.sharing.notice import SharingNote


def absent_pair(cut: float | None, sharing: SharingNote | None = None) -> str:
    """Return the sentence on pairs without a row: that it is not zero is for the text around it to say.

    Args:
        cut: Standard deviations from which a row is published; none where the product does not cut.
        sharing: With whom a part was shared: its agreement may leave out rows by their grade.
    """
    below = "" if cut is None else f" of {cut:g} standard deviations"
    return f"A pair without a row lies below the cut{below}{_or_worse(sharing)}."


def _or_worse(sharing: SharingNote | None) -> str:
    least = sharing.terms.least_quality if sharing else None
    return f", or was of a grade worse than {least}" if least else ""
