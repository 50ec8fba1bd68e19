"""The symmetric-cipher suite: what one should encrypt records and files with.

`names` lists the ciphers, `encrypt` and `decrypt` use one. Ciphers of the past, which published
systems compare, are in `mopse.ciphers.legacy` and nowhere else.
"""

from mopse.ciphers import legacy
from mopse.ciphers._suite import Algorithm, Cipher, algorithm, decrypt, encrypt, generate_key, names

__all__ = [
    "Algorithm",
    "Cipher",
    "algorithm",
    "decrypt",
    "encrypt",
    "generate_key",
    "legacy",
    "names",
]
