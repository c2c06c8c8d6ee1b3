"""Verifies a password hash that Postern stored, with Python's standard library alone.

Usage: verify_password.py STORED PEPPER < password
STORED is the hash in hex, as SQLite's hex(password_hash) gives it.
PEPPER is the "k" (base64url) of the key in PASSWORD_PEPPER whose "kid" is in STORED.
Prints "match" (exit code 0) or "no match" (exit code 1).
"""

import base64
import hashlib
import hmac
import sys
import unicodedata

def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(password: str, stored: bytes, pepper: bytes) -> bool:
    if len(stored) < 6 or stored[0] != 1 or len(stored) != 6 + stored[5] + 16 + 32:
        raise ValueError("not a stored hash of Postern")
    rounds, iterations = stored[1], int.from_bytes(stored[2:5], "big")
    output, expected = stored[-48:-32], stored[-32:]
    secret = unicodedata.normalize("NFC", password).encode()
    for _ in range(rounds):
        output = hashlib.pbkdf2_hmac("sha256", secret, output, iterations)
    return hmac.compare_digest(hmac.new(pepper, output, "sha256").digest(), expected)


if __name__ == "__main__":
    _, stored_hash, pepper_key = sys.argv
    given = sys.stdin.buffer.read().decode().removesuffix("\n")
    is_match = verify(given, bytes.fromhex(stored_hash), decode(pepper_key))
    print("match" if is_match else "no match")
    sys.exit(0 if is_match else 1)
