"""How a phone knows the adb server that talks to it: RSA keys, as adbd checks them.

The server signs a random token of 20 bytes; the phone tries the keys that it trusts. Source: AOSP
``packages/modules/adb/daemon/auth.cpp`` and ``libs/crypto_utils/android_pubkey.cpp``.
"""

from __future__ import annotations

import base64
import binascii
import struct

TOKEN_BYTES = 20
# DER of DigestInfo for SHA-1 (RFC 8017, section 9.2, note 1); adb signs the token as if it were the hash.
SHA1_PREFIX = bytes.fromhex("3021300906052b0e03021a05000414")


def public_key(offered: bytes) -> tuple[int, int] | None:
    """Return modulus and exponent of a key as adb sends it, or ``None`` for what is none.

    The form is base64 of: words of the modulus, -1/n mod 2^32, modulus, R^2 mod n (both little
    endian, that many words) and exponent; then a space and the owner's name.
    """
    try:
        raw = base64.b64decode(offered.split(b" ")[0].rstrip(b"\0\n"), validate=True)
        words = struct.unpack_from("<I", raw)[0]
        modulus = int.from_bytes(raw[8 : 8 + 4 * words], "little")
        exponent = struct.unpack_from("<I", raw, 8 + 8 * words)[0]
    except (binascii.Error, struct.error):
        return None
    return (modulus, exponent) if modulus else None


def signed(token: bytes, signature: bytes, key: tuple[int, int]) -> bool:
    """Tell whether ``signature`` is PKCS #1 v1.5 of ``token`` by the owner of ``key``."""
    modulus, exponent = key
    size = (modulus.bit_length() + 7) // 8
    number = int.from_bytes(signature, "big")
    if len(signature) != size or number >= modulus:
        return False
    opened = pow(number, exponent, modulus).to_bytes(size, "big")
    digest = SHA1_PREFIX + token
    return opened == b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
