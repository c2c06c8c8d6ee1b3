"""Verifies a password hash that Postern stored, with Python's standard library alone.

Usage: verify_password.py STORED PEPPER < password
PEPPER is the "k" (base64url) of the key in PASSWORD_PEPPER whose "kid" STORED names in p=.
Prints "match" (exit code 0) or "no match" (exit code 1).
"""

import base64
import hashlib
import hmac
import re
import sys
import unicodedata

FORMAT = re.compile(r"\$pbkdf2-sha256-chain\$v=1\$r=(\d{1,2}),i=(\d{1,6}),p=[\w-]{1,64}\$([\w-]{22})\$([\w-]{43})", re.ASCII)


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(password: str, stored: str, pepper: bytes) -> bool:
    match = FORMAT.fullmatch(stored)
    if match is None:
        raise ValueError("not a stored hash of Postern")
    rounds, iterations, output, expected = int(match[1]), int(match[2]), decode(match[3]), decode(match[4])
    secret = unicodedata.normalize("NFC", password).encode()
    for _ in range(rounds):
        output = hashlib.pbkdf2_hmac("sha256", secret, output, iterations)
    return hmac.compare_digest(hmac.new(pepper, output, "sha256").digest(), expected)


if __name__ == "__main__":
    _, stored_hash, pepper_key = sys.argv
    given = sys.stdin.buffer.read().decode().removesuffix("\n")
    is_match = verify(given, stored_hash, decode(pepper_key))
    print("match" if is_match else "no match")
    sys.exit(0 if is_match else 1)
