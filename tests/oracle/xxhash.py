"""XXH64 by its specification, over whole numbers: what the engines' `xxhash64` has to give.

Source: Y. Collet, xxHash fast digest algorithm, version 0.1.1; only inputs below 32 bytes, which is all that is hashed.
"""

M = 2**64 - 1
P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5,
)  # fmt: skip


def _rotated(value, by):
    return (value << by | value >> 64 - by) & M


def of_longs(*longs, seed=42):
    """Digest of signed 64-bit numbers, each seeded with the digest of those before; as a signed number."""
    for number in longs:
        lane = _rotated((number & M) * P2 & M, 31) * P1 & M
        digest = _rotated((seed + P5 + 8 & M) ^ lane, 27) * P1 + P4 & M
        digest = (digest ^ digest >> 33) * P2 & M
        digest = (digest ^ digest >> 29) * P3 & M
        seed = digest ^ digest >> 32
    return seed - 2**64 if seed >> 63 else seed
