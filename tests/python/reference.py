"""The schemes and password containers once more, slowly, from their definitions.

The standard library, with its own tables of Unicode, does everything but the ciphers and Argon2id
of password containers, which are those of the package `cryptography`.

Written against the headers of the Rust modules. AES, the coins, the walk and the placement use
integers; whether a proposal is accepted is decided with 50 digits where the Rust code uses floats
and bounds. So the vectors that this module computes test the Rust code from outside, and the
Rust code this module. Nothing here is constant-time or meant for use.
"""

import functools
import hashlib
import hmac
import math
import unicodedata
from collections.abc import Iterable
from decimal import Decimal, localcontext
from fractions import Fraction

RANGE = 2**63
VERSION = 1
SPLIT, LEAF, SPREAD, PLACEMENT, DIGIT, MASK, SHUFFLE = range(1, 8)
COUNTED = 512
STRIPS_PER_SIGMA, STRIPS, COLUMNS = 8, 32, 64
DIGITS = 50


def child(key: bytes, purpose: str, label: bytes, epoch: int = 0, salt: bytes = b"") -> bytes:
    """Return the key below `key`; epochs that have a salt, of 16 bytes, are derived with it."""
    message = b"mopse/v1" + _counted(purpose.encode()) + _counted(label)
    message += epoch.to_bytes(4, "big") + (_counted(salt) if salt else b"")
    return hmac.new(key, message, hashlib.sha256).digest()


def _counted(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def field_label(case: dict) -> bytes:
    """Return the bytes that define a field, which ``kind`` and numbers in text describe."""
    kind = 1 + ["number", "date", "boolean", "category"].index(case["kind"])
    label = bytes([0, 2, kind])
    for name in ("minimum", "maximum", "step"):
        number = Fraction(case[name])
        label += bytes([number < 0])
        for part in (abs(number.numerator), number.denominator):
            label += _counted(part.to_bytes((part.bit_length() + 7) // 8, "big"))
    label += case["cell"].to_bytes(8, "big") + len(case["categories"]).to_bytes(4, "big")
    return label + b"".join(_counted(level.encode()) for level in case["categories"])


def schema_bytes(fields: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the canonical bytes of a schema of names and labels."""
    parts = [_counted(name.encode()) + _counted(label) for name, label in fields]
    return len(parts).to_bytes(4, "big") + b"".join(parts)


def ruler_key(authority: bytes, name: str, label: bytes, epoch: int, salt: bytes = b"") -> bytes:
    """Return the key of a field's ruler in the group below an authority."""
    named = len(name.encode()).to_bytes(8, "little") + name.encode()
    return child(authority, "ruler", named + label, epoch, salt)


def _double(a: int) -> int:
    return (a << 1) ^ (0x11B if a & 0x80 else 0)


def _boxes() -> tuple[int, ...]:
    """Return the S-box of FIPS 197, section 5.1.1."""
    powers = [1]
    for _ in range(254):
        powers.append(powers[-1] ^ _double(powers[-1]))  # times 3, which generates the field
    inverse = [0] * 256
    for i, a in enumerate(powers):
        inverse[a] = powers[-i % 255]
    boxes = []
    for b in inverse:
        rotated = [(b << i | b >> (8 - i)) & 0xFF for i in range(5)]
        boxes.append(functools.reduce(int.__xor__, rotated) ^ 0x63)
    return tuple(boxes)


BOX = _boxes()


class Aes256:
    """FIPS 197 with a key of 256 bits."""

    def __init__(self, key: bytes) -> None:
        words = [list(key[i : i + 4]) for i in range(0, 32, 4)]
        constant = 1
        for i in range(8, 60):
            word = words[-1]
            if i % 8 == 0:
                word = [BOX[b] for b in word[1:] + word[:1]]
                word[0] ^= constant
                constant = _double(constant)
            elif i % 8 == 4:
                word = [BOX[b] for b in word]
            words.append([a ^ b for a, b in zip(words[-8], word, strict=True)])
        self.rounds = [[b for word in words[i : i + 4] for b in word] for i in range(0, 60, 4)]

    def encrypt(self, block: bytes) -> bytes:
        """Return one block, encrypted."""
        state = [a ^ b for a, b in zip(block, self.rounds[0], strict=True)]
        for i, round_key in enumerate(self.rounds[1:], 1):
            state = [BOX[state[(j + 4 * (j % 4)) % 16]] for j in range(16)]
            if i < 14:
                state = [b for j in range(0, 16, 4) for b in self._mix(state[j : j + 4])]
            state = [a ^ b for a, b in zip(state, round_key, strict=True)]
        return bytes(state)

    @staticmethod
    def _mix(column: list[int]) -> list[int]:
        a, b, c, d = column
        every = a ^ b ^ c ^ d
        pairs = ((a, b), (b, c), (c, d), (d, a))
        return [x ^ every ^ _double(x ^ y) for x, y in pairs]


class Coins:
    """Pseudo-random bits under one key."""

    def __init__(self, key: bytes) -> None:
        self.aes = Aes256(key)

    def toss(self, block: int) -> int:
        """Return the 128 coins of a block."""
        return int.from_bytes(self.aes.encrypt(block.to_bytes(16, "big")), "big")

    def coins(self, tag: int, counter: int, major: int, minor: int) -> int:
        """Return the coins of a place."""
        return self.toss(VERSION << 120 | tag << 112 | counter << 96 | major << 64 | minor % 2**64)

    def uniform(self, tag: int, major: int, minor: int, size: int) -> int:
        """Return a uniform integer below `size`."""
        for counter in range(2**16):
            below = uniform_from(self.coins(tag, counter, major, minor), size)
            if below is not None:
                return below
        raise AssertionError


def scale(word: int, size: int) -> int | None:
    """Return 64 coins scaled to below `size`, or nothing to avoid bias."""
    below, fraction = divmod(word * size, 2**64)
    return None if fraction < 2**64 % size else below


def uniform_from(coins: int, size: int) -> int | None:
    """Return an integer below `size` from the upper or else the lower half of 128 coins."""
    below = scale(coins >> 64, size)
    return scale(coins % 2**64, size) if below is None else below


def ratio(n: int, t: int) -> Decimal:
    """Return `C(n, (n + t) / 2)` over the largest of its row."""
    product = Decimal(int(abs(t) <= n))
    for s in range(n % 2 + 1, abs(t), 2):
        product *= Decimal(n + 1 - s) / Decimal(n + 1 + s)
    return product


class Histogram:
    """The proposal for many points: strips under the half normal curve, by the alias method."""

    def __init__(self) -> None:
        curve = [math.exp(-0.5 * (j / STRIPS_PER_SIGMA) ** 2) for j in range(STRIPS + 1)]
        fall = math.exp(-0.5 * (2 * STRIPS + 1) / STRIPS_PER_SIGMA**2)
        self.tail_ratio = int(fall * 2.0**64) + 2**12
        wanted = [*curve[:STRIPS], curve[STRIPS] / (1.0 - self.tail_ratio / 2.0**64)]
        wanted += [0.0] * (COLUMNS - len(wanted))
        total = math.fsum(wanted)
        left = [weight / total * COLUMNS for weight in wanted]
        self.thresholds, self.aliases = [0] * COLUMNS, list(range(COLUMNS))
        still = list(range(COLUMNS))
        while still:
            low = min(still, key=lambda column: left[column])
            high = max(reversed(still), key=lambda column: left[column])
            kept = min(max(left[low], 0.0), 1.0)
            self.thresholds[low], self.aliases[low] = int(kept * 2.0**58), high
            left[high] -= 1.0 - kept
            still.remove(low)
        weights = [0] * COLUMNS
        for column in range(COLUMNS):
            weights[column] += self.thresholds[column]
            weights[self.aliases[column]] += 2**58 - self.thresholds[column]
        with localcontext(prec=DIGITS):
            self.further = Decimal(self.tail_ratio) / 2**64
            heights = [Decimal(weight) for weight in weights[: STRIPS + 1]]
            heights[STRIPS] *= 1 - self.further
            exact = [(Decimal(-j * j) / (2 * STRIPS_PER_SIGMA**2)).exp() for j in range(STRIPS + 1)]
            over = max(c / h for c, h in zip(exact, heights, strict=True))
            self.heights = [height * over * (1 + Decimal(10) ** -12) for height in heights]

    def strip(self, word: int) -> int:
        """Return the strip that 64 coins choose."""
        column, place = divmod(word, 2**58)
        return column if place < self.thresholds[column] else self.aliases[column]

    def height(self, strip: int) -> Decimal:
        """Return how high a strip is over the curve's peak."""
        return self.heights[min(strip, STRIPS)] * self.further ** max(strip - STRIPS, 0)


@functools.cache
def histogram() -> Histogram:
    """Return the only histogram."""
    return Histogram()


class Target:
    """What a split by histogram is accepted with, for the fewer of marked and unmarked points."""

    def __init__(self, fewer: int, total: int) -> None:
        self.fewer, self.others, self.odd = fewer, total - fewer, total % 2
        a, b = Decimal(2) / (fewer + 1), Decimal(2) / (self.others + 1)
        curvature = a + b
        self.sigma = 1 / (2 * curvature).sqrt()
        self.width = int(self.sigma / STRIPS_PER_SIGMA) + 1
        # By how much the product of both normal bounds lies below 1 where it is largest.
        peak = -(fewer % 2) / Decimal(2 * (fewer + 1))
        peak -= (self.others % 2) / Decimal(2 * (self.others + 1))
        self.peak = (peak + self.odd * a * b / (4 * curvature)).exp()

    def place(self, strip: int, place: int) -> int:
        """Return the split at a place of a strip, of as many above the middle as below."""
        middle = (self.fewer + 1) // 2
        if place >= self.width:
            return middle + strip * self.width + place - self.width
        return middle - 1 - strip * self.width - place

    def acceptance(self, x: int, strip: int) -> Decimal:
        """Return the probability that a proposed `x` is accepted."""
        t = 2 * x - self.fewer
        if not 0 <= x <= self.fewer or abs(t + self.odd) > self.others:
            return Decimal(0)
        ratios = ratio(self.fewer, t) * ratio(self.others, t + self.odd)
        return ratios * self.peak / histogram().height(strip)


def split(coins: Coins, node: int, marked: int, total: int) -> int:
    """Return how many of `marked` points in a range of `total` lie in its lower half."""
    fewer = min(marked, total - marked)
    with localcontext(prec=DIGITS):
        if fewer == 0:
            lower = 0
        elif fewer <= COUNTED:
            lower = _split_counted(coins, node, fewer, total)
        else:
            lower = _split_histogram(coins, node, fewer, total)
    return lower if 2 * marked <= total else total // 2 - lower


def _is_below(coins: int, probability: Decimal) -> bool:
    return (Decimal(coins) + Decimal("0.5")) / 2**128 < probability


def _split_counted(coins: Coins, node: int, fewer: int, total: int) -> int:
    counter = 0
    while True:
        left, ones = fewer, 0
        while left > 0:
            mask = 2 ** min(left, 128) - 1
            ones += (coins.coins(SPLIT, counter, 0, node) & mask).bit_count()
            left -= 128
            counter += 1
        acceptance = ratio(total - fewer, 2 * ones - fewer + total % 2)
        if _is_below(coins.coins(SPLIT, counter, 0, node), acceptance):
            return ones
        counter += 1


def _split_histogram(coins: Coins, node: int, fewer: int, total: int) -> int:
    target = Target(fewer, total)
    counter = 0
    while True:
        first, second = (coins.coins(SPLIT, counter + i, 0, node) for i in range(2))
        counter += 2
        strip = histogram().strip(first >> 64)
        if strip == STRIPS:
            while coins.coins(SPLIT, counter, 0, node) >> 64 < histogram().tail_ratio:
                strip += 1
                counter += 1
            counter += 1
        place = scale(first % 2**64, 2 * target.width)
        if place is None:
            continue
        x = target.place(strip, place)
        if _is_below(second, target.acceptance(x, strip)):
            return x


class Opse:
    """A random order-preserving function from `domain` to `range_size` places."""

    def __init__(self, key: bytes, domain: int, range_size: int = RANGE) -> None:
        label = domain.to_bytes(8, "big") + range_size.to_bytes(8, "big")
        self.coins = Coins(child(key, "order", label))
        self.domain, self.range_size = domain, range_size

    @functools.cache  # noqa: B019 - nodes are shared by all plaintexts, and tests are short
    def _below(self, node: int, count: int, size: int) -> int:
        return split(self.coins, node, count, size)

    def leaf(self, plaintext: int) -> tuple[int, int]:
        """Return start and size of the piece of the range that belongs to a plaintext."""
        node, start, size, first, count = 1, 0, self.range_size, 0, self.domain
        while count > 1:
            below, half = self._below(node, count, size), size // 2
            if plaintext < first + below:
                node, size, count = 2 * node, half, below
            else:
                node, start, size = 2 * node + 1, start + half, size - half
                first, count = first + below, count - below
        return start, size

    def encrypt(self, plaintext: int) -> int:
        """Return the deterministic ciphertext."""
        start, size = self.leaf(plaintext)
        return start + self.coins.uniform(LEAF, plaintext, 0, size)

    def encrypt_with_id(self, plaintext: int, record: int) -> int:
        """Return the one-to-many ciphertext."""
        start, size = self.leaf(plaintext)
        return start + self.coins.uniform(SPREAD, plaintext, record, size)


def ruler_cuts(key: bytes, domain: int, cell: int) -> list[int]:
    """Return all cuts of a ruler, from 0 to 2^63."""
    interior = -(-domain // cell) - 1
    opse = Opse(key, interior, RANGE - 1)
    return [0, *(opse.encrypt(i) + 1 for i in range(interior)), RANGE]


def mopse_entry(cuts: list[int], cell: int, place_key: bytes, plaintext: int, handle: int) -> int:
    """Return a provider's entry."""
    coins = Coins(place_key)
    b = plaintext // cell
    for counter in range(2**16):
        block = handle ^ (VERSION << 120 | PLACEMENT << 112 | counter << 96 | b)
        below = uniform_from(coins.toss(block), cuts[b + 1] - cuts[b])
        if below is not None:
            return cuts[b] + below
    raise AssertionError


class Clww:
    """Order-revealing encryption that shows the first bit that differs."""

    def __init__(self, key: bytes, domain: int) -> None:
        self.coins = Coins(child(key, "order", b"clww" + domain.to_bytes(8, "big")))
        self.bits = max(1, (domain - 1).bit_length())

    def encrypt(self, plaintext: int) -> int:
        """Return the ciphertext."""
        ciphertext, above = 0, 0
        for i, bit in enumerate(map(int, f"{plaintext:0{self.bits}b}"), 1):
            digit = (self.coins.coins(DIGIT, 0, above, i) + bit) % 3
            ciphertext, above = 4 * ciphertext + digit, 2 * above + bit
        return ciphertext


class LewiWu:
    """Order-revealing encryption in two halves, in blocks of `d` bits."""

    def __init__(self, key: bytes, domain: int, d: int) -> None:
        label = domain.to_bytes(8, "big") + bytes([d])
        self.masks, self.places = (
            Coins(child(key, "order", b"lewi-wu " + word + label)) for word in (b"mask", b"place")
        )
        self.d, self.blocks = d, -(-max(1, (domain - 1).bit_length()) // d)

    def _blocks(self, plaintext: int) -> list[tuple[int, int, int]]:
        below = [self.d * (self.blocks - i) for i in range(1, self.blocks + 1)]
        places = enumerate((divmod(plaintext >> by, 2**self.d) for by in below), 1)
        return [(i, above, value) for i, (above, value) in places]

    @functools.cache  # noqa: B019 - permutations are shared by plaintexts, and tests are short
    def _permutation(self, i: int, above: int) -> list[int]:
        permutation = list(range(2**self.d))
        for s in range(2**self.d - 1, 0, -1):
            t = self.places.uniform(SHUFFLE, above, i << 32 | s, s + 1)
            permutation[s], permutation[t] = permutation[t], permutation[s]
        return permutation

    def _key(self, i: int, above: int, j: int) -> bytes:
        return self.masks.coins(MASK, 0, above, i << 32 | j).to_bytes(16, "big")

    def left(self, plaintext: int) -> bytes:
        """Return what compares with right halves."""
        keys, bits = b"", ""
        for i, above, value in self._blocks(plaintext):
            j = self._permutation(i, above)[value]
            keys += self._key(i, above, j)
            bits += f"{j:0{self.d}b}"
        return keys + _packed(bits)

    def right(self, plaintext: int, nonce: bytes) -> bytes:
        """Return what compares with left halves only."""
        bits = ""
        for i, above, value in self._blocks(plaintext):
            permutation = self._permutation(i, above)
            for j in range(2**self.d):
                other = permutation.index(j)
                compared = (other > value) - (other < value)
                bits += f"{(compared + _mask(self._key(i, above, j), nonce)) % 3:02b}"
        return nonce + _packed(bits)

    def order(self, left: bytes, right: bytes) -> int:
        """Return -1, 0 or 1: how the plaintext of `left` compares with that of `right`."""
        bits, digits = _unpacked(left[16 * self.blocks :]), _unpacked(right[16:])
        for i in range(self.blocks):
            j = int(bits[i * self.d : (i + 1) * self.d], 2)
            at = 2 * (i * 2**self.d + j)
            masked = int(digits[at : at + 2], 2)
            order = (masked - _mask(left[16 * i : 16 * i + 16], right[:16])) % 3
            if order:
                return 1 if order == 1 else -1
        return 0


def _packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def _unpacked(packed: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in packed)


def _mask(key: bytes, nonce: bytes) -> int:
    return int.from_bytes(hashlib.sha256(key + nonce).digest()[:8], "big") % 3


def stretched(derivation: str, costs: list[int], password: bytes, salt: bytes) -> bytes:
    """Return what a password is stretched to; memory in KiB, passes, lanes, or iterations."""
    if derivation == "pbkdf2-sha256":
        return hashlib.pbkdf2_hmac("sha256", password, salt, *costs)
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    memory, passes, lanes = costs
    kdf = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=memory)
    return kdf.derive(password)


def committed(key: bytes, password: bytes, context: bytes) -> tuple[bytes, bytes]:
    """Return the key that seals under a password, and the commitment to it and to a context."""
    label = b"commitment" + hashlib.sha256(context).digest() + password
    return child(key, "password", b"key"), child(key, "password", label)


def password_message(case: dict, version: int) -> bytes:
    """Return a message under a password, of version 1 or 2."""
    from cryptography.hazmat.primitives.ciphers import aead

    ciphers = {
        "aes-256-gcm": aead.AESGCM,
        "aes-256-gcm-siv": aead.AESGCMSIV,
        "chacha20-poly1305": aead.ChaCha20Poly1305,
    }
    password, salt, nonce, associated, plaintext = (
        bytes.fromhex(case[name])
        for name in ("password", "salt", "nonce", "associated", "plaintext")
    )
    head = b"MOPSEPWD" + bytes([version])
    for name in (case["cipher"], case["derivation"]):
        head += len(name).to_bytes(8, "little") + name.encode()
    head += b"".join(cost.to_bytes(4, "little") for cost in case["costs"]) + salt + nonce
    key = stretched(case["derivation"], case["costs"], password, salt)
    if version == 2:
        key, commitment = committed(key, password, head + associated)
        head += commitment
    return head + ciphers[case["cipher"]](key).encrypt(nonce, plaintext, head + associated)


def keyring_file(case: dict, version: int) -> bytes:
    """Return an owner's keyring under a password, of version 1 or 2."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

    password, salt, nonce, contents = (
        bytes.fromhex(case[name]) for name in ("password", "salt", "nonce", "contents")
    )
    costs = b"".join(cost.to_bytes(4, "little") for cost in case["cost"])
    head = b"MOPSEFIL" + bytes([version, 1]) + costs + salt
    key = stretched("argon2id", case["cost"], password, salt)
    if version == 1:
        bound, file = head, head + nonce
    else:
        key, commitment = committed(key, password, head + nonce)
        bound = file = head + nonce + commitment
    sealed = AESGCMSIV(key).encrypt(nonce, contents, bound)
    file += len(sealed).to_bytes(8, "little") + sealed
    return file + hashlib.sha256(file).digest()


def keyword_note(case: dict) -> bytes:
    """Return the sealed note of the keywords of a file: which use of each it is."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

    key = child(bytes.fromhex(case["provider"]), "keyword", b"")
    tags = [
        (child(key, "keyword", b"\x03" + word.encode())[:16], use) for word, use in case["keywords"]
    ]
    contents = len(tags).to_bytes(8, "little")
    contents += b"".join(tag + use.to_bytes(8, "little") for tag, use in sorted(tags))
    names = case["path"].split("/")
    place = b"MOPSENOT\x01" + bytes.fromhex(case["owner"]) + len(names).to_bytes(8, "little")
    for name, epoch in zip(names, case["epochs"], strict=True):
        written = name.encode()
        place += len(written).to_bytes(8, "little") + written
        place += epoch.to_bytes(4, "little") + b"\0"  # no salt
    place += int(case["file"], 16).to_bytes(16, "little")
    nonce = bytes.fromhex(case["nonce"])
    note_key = child(key, "keyword", b"\x04")
    return nonce + AESGCMSIV(note_key).encrypt(nonce, contents, place)


def keyword_proof(provider: bytes, word: str, file: int) -> bytes:
    """Return what shows that a file of a provider has a keyword."""
    label_key = child(child(provider, "keyword", b""), "keyword", b"\x01" + word.encode())
    return hmac.digest(label_key, file.to_bytes(16, "big"), "sha256")[:16]


def notes_base(numbers: list[int]) -> int:
    """Return what names the attachments that came from a provider, by their numbers in order."""
    digest = hashlib.sha256(b"mopse/v1 base" + b"".join(n.to_bytes(16, "little") for n in numbers))
    return int.from_bytes(digest.digest()[:16], "little")


def times(a: int, b: int) -> int:
    """Return a product in GCM's field: SP 800-38D, algorithm 1."""
    product = 0
    for bit in range(127, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (0xE1 << 120 if b & 1 else 0)
    return product


def power(a: int, exponent: int) -> int:
    """Return a power in GCM's field; that of 2^128 - 2 is the inverse."""
    result = 1 << 127
    for bit in f"{exponent:b}":
        result = times(result, result)
        if bit == "1":
            result = times(result, a)
    return result


def gcm_collision(keys: list[bytes], nonce: bytes, associated: bytes) -> bytes:
    """Return one ciphertext with its tag that AES-256-GCM opens under all of some keys.

    The tag is E(nonce) plus a polynomial in E(0) whose coefficients are the blocks, so that every
    key gives one linear equation in as many blocks as there are keys, with a tag that is chosen
    [1]_.

    References
    ----------
    .. [1] J. Len, P. Grubbs, T. Ristenpart, "Partitioning Oracle Attacks", USENIX Security 2021,
       section 3.
    """
    n, tag = len(keys), 0x0123456789ABCDEF << 64
    padded = associated + bytes(-len(associated) % 16)
    known = [int.from_bytes(padded[i : i + 16], "big") for i in range(0, len(padded), 16)]
    lengths = 8 * len(associated) << 64 | 8 * 16 * n
    rows = []
    for key in keys:
        aes = Aes256(key)
        h = int.from_bytes(aes.encrypt(bytes(16)), "big")
        right = tag ^ int.from_bytes(aes.encrypt(nonce + b"\0\0\0\1"), "big") ^ times(lengths, h)
        for at, block in enumerate(known):
            right ^= times(block, power(h, n + 1 + len(known) - at))
        rows.append([power(h, n + 1 - at) for at in range(n)] + [right])
    for at in range(n):
        pivot = next(row for row in range(at, n) if rows[row][at])
        rows[at], rows[pivot] = rows[pivot], rows[at]
        inverse = power(rows[at][at], 2**128 - 2)
        rows[at] = [times(entry, inverse) for entry in rows[at]]
        for row in range(n):
            if row != at and rows[row][at]:
                factor = rows[row][at]
                pairs = zip(rows[row], rows[at], strict=True)
                rows[row] = [a ^ times(factor, b) for a, b in pairs]
    return b"".join(row[n].to_bytes(16, "big") for row in rows) + tag.to_bytes(16, "big")


# Default_Ignorable_Code_Point of Unicode 18.0, which `unicodedata` does not have.
IGNORABLE = [
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
]  # fmt: skip
ALIKE = {
    "-": "\u02d7\u058a\u05be\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2e3a\u2e3b",
    "'": "`\u02b9\u02bb\u02bc\u02bd\u2018\u2019\u201a\u201b\u2032\u2035\u2039\u203a\ua78b\ua78c",
    "''": '"\u00ab\u00bb\u02ba\u201c\u201d\u201e\u201f\u301d\u301e\u301f',
    "/": "\u2044\u2215",
}


def keyword(typed: str) -> str:
    """Return the fold of a keyword whose characters this Python's Unicode has; empty if none is."""
    for _ in range(2):
        letters = unicodedata.normalize("NFKD", typed)
        # U+2800 is a space here, and so is what `split` takes for one.
        letters = "".join(
            " " if letter.isspace() or letter == "\u2800" else letter
            for letter in letters
            if not any(first <= ord(letter) <= last for first, last in IGNORABLE)
            and (letter.isspace() or unicodedata.category(letter) != "Cc")
        ).casefold()
        letters = letters.replace(" \u0301", "'")
        for one, several in ALIKE.items():
            for letter in several:
                letters = letters.replace(letter, one)
        typed = unicodedata.normalize("NFKC", " ".join(filter(None, letters.split(" "))))
    return typed
