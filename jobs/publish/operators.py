"""Whose releases they are: the keys that signed several bundles say whether these are surely of one operator."""

from collections.abc import Iterable

from privacy.signing import PublicKey
from schemas.errors import BundleError


def require_one_operator(signed: Iterable[tuple[str, PublicKey]], *, trusted: bool) -> None:
    """Refuse bundles that may be of different operators.

    Args:
        signed: Slug and signer of each bundle.
        trusted: Whether they were verified with a list of one operator's keys: two of its keys may then have signed.

    Raises:
        BundleError: Two are signed by different keys.
    """
    if trusted:
        return
    first, *others = signed
    for other in others:
        if other[1] != first[1]:
            raise BundleError(
                f"{first[0]} and {other[0]} are signed by different keys, so they may be of different operators, whose "
                "subscribers overlap in a way that nobody knows.",
                "bundles of one operator",
                "work operator by operator; where one operator changed its key, give its list with --trust",
            )
