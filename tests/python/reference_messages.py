"""The messages of the parties once more, slowly, from their formulas.

Written against the headers of the modules in `src/message` and `src/party`, on the key tree and
the schemes of `reference`. Ed25519 and AES-GCM-SIV are those of the package `cryptography`;
POLYVAL, the hash tree, keys, layouts and every message are made here. A party is made of its seed
and draws its numbers as the Rust code does, so that whole messages are equal, byte for byte.

`tests/vectors/protocol.json` holds what it makes; `write` of `test_reference_messages` writes it.
"""

import dataclasses
import hashlib
import hmac
import itertools
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import reference
from reference import Aes256, Coins, child

VECTORS = Path(__file__).parents[1] / "vectors" / "protocol.json"
HANDLE = 9
"""The tag of coins that are pseudonyms."""

KINDS = {"int64": 1, "uint64": 2, "float64": 3, "boolean": 4, "text": 5}
FOR_EVER = 2**64 - 1

Epoch = tuple[int, bytes]
FIRST: Epoch = (0, b"")


# Bytes, the lowest first


def u32(number: int) -> bytes:
    """Return a number as 4 bytes."""
    return number.to_bytes(4, "little")


def u64(number: int) -> bytes:
    """Return a number as 8 bytes; a count of what follows."""
    return number.to_bytes(8, "little")


def u128(number: int) -> bytes:
    """Return a number as 16 bytes."""
    return number.to_bytes(16, "little")


def counted(part: bytes | str) -> bytes:
    """Return bytes after their length."""
    part = part.encode() if isinstance(part, str) else part
    return u64(len(part)) + part


def listed(parts: Sequence[bytes]) -> bytes:
    """Return parts after their number."""
    return u64(len(parts)) + b"".join(parts)


def head(letters: str, version: int, owner: bytes = b"") -> bytes:
    """Return the head of a message of an owner."""
    return b"MOPSE" + letters.encode() + bytes([version]) + owner


def epoch_bytes(epoch: Epoch) -> bytes:
    """Return an epoch: its number, and its salt if it has one."""
    number, salt = epoch
    return u32(number) + bytes([len(salt) > 0]) + salt


@dataclasses.dataclass(frozen=True)
class Place:
    """Names from the owner down, and the epoch of every ancestor."""

    names: tuple[str, ...] = ()
    epochs: tuple[Epoch, ...] = ()

    def below(self, name: str, epoch: Epoch) -> "Place":
        """Return the place of a child in an epoch of this one."""
        return Place((*self.names, name), (*self.epochs, epoch))

    @property
    def above(self) -> "Place":
        """The place above."""
        return Place(self.names[:-1], self.epochs[:-1])

    @property
    def path(self) -> str:
        """Names, joined by slashes."""
        return "/".join(self.names)

    def __bytes__(self) -> bytes:
        pairs = zip(self.names, self.epochs, strict=True)
        return listed([counted(name) + epoch_bytes(epoch) for name, epoch in pairs])


@dataclasses.dataclass
class Authority:
    """What a node tells clouds of those below it."""

    epochs: list[Epoch] = dataclasses.field(default_factory=lambda: [FIRST])
    readers: list[Epoch] = dataclasses.field(default_factory=lambda: [FIRST])
    members: list[tuple[str, int, int | None]] = dataclasses.field(default_factory=list)
    trail: list[bytes] = dataclasses.field(default_factory=list)
    last: bytes = b""

    def stamp(self) -> bytes:
        """Return number and digest of the last announcement."""
        return u64(len(self.trail)) + (self.trail[-1] if self.trail else bytes(32))


# Digests


def tree_root(message: bytes, chunk: int = 2**20) -> bytes:
    """Return the root of the hash tree over chunks."""
    starts = range(0, max(len(message), 1), chunk)
    return tree_of([message[at : at + chunk] for at in starts])


def tree_of(pieces: Sequence[bytes]) -> bytes:
    """Return the root of the hash tree over pieces; a lone node moves up; none are an empty one."""
    level = [hashlib.sha256(b"\0" + piece).digest() for piece in pieces or [b""]]
    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\1" + b"".join(p)).digest() if p[1:] else p[0] for p in pairs]
    return level[0]


def committed(pieces: Sequence[bytes]) -> bytes:
    """Return how many pieces there are, and the root over them."""
    return u64(len(pieces)) + tree_of(pieces)


def row_digest(sealed: Sequence[bytes]) -> bytes:
    """Return H of a row: what stands for what is sealed of it in each portion."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in sealed)).digest()


def version(upload: int, handle: int, digest: bytes = bytes(32)) -> int:
    """Return the version that an upload gave a row, or without a digest its tombstone."""
    whole = hashlib.sha256(b"MOPSEVER" + u128(upload) + u128(handle) + digest).digest()
    return int.from_bytes(whole[:16], "little")


_POLYNOMIAL = 1 << 128 | 1 << 127 | 1 << 126 | 1 << 121 | 1


def dot(a: int, b: int) -> int:
    """Return a b x^-128 in POLYVAL's field: RFC 8452, section 3."""
    product = 0
    for bit in range(128):
        if b >> bit & 1:
            product ^= a << bit
    for _ in range(128):
        if product & 1:
            product ^= _POLYNOMIAL
        product >>= 1
    return product


def polyval(key: bytes, *messages: bytes) -> bytes:
    """Return the hash of messages, each filled up with zeros to whole blocks."""
    h, state = int.from_bytes(key, "little"), 0
    for message in messages:
        padded = message + bytes(-len(message) % 16)
        for at in range(0, len(padded), 16):
            state = dot(state ^ int.from_bytes(padded[at : at + 16], "little"), h)
    return u128(state)


# Keys


def readers_key(provider: bytes, readers: Epoch = FIRST) -> bytes:
    """Return the key of all that a provider seals in a readers' epoch."""
    return child(child(provider, "record", b""), "portion", b"", *readers)


def portion_key(readers: bytes, name: str) -> bytes:
    """Return the key of a portion."""
    return child(readers, "portion", b"/" + name.encode())


def layout_key(portion: bytes) -> bytes:
    """Return the key of a portion's layouts."""
    return child(portion, "portion", b"layout")


def row_key(portion: bytes, handle: int) -> bytes:
    """Return the key of a portion of one record: two blocks under two keys."""
    block = handle.to_bytes(16, "big")
    halves = (Aes256(child(portion, "portion", half)) for half in (b"high", b"low"))
    return b"".join(half.encrypt(block) for half in halves)


def handle_of(provider: bytes, record: int | str) -> int:
    """Return the pseudonym of a record's id."""
    key = child(provider, "handle", b"")
    if isinstance(record, int):
        return Coins(child(key, "handle", b"integers")).coins(HANDLE, 0, 0, record)
    mac = reference.hmac.new(key, b"s" + record.encode(), hashlib.sha256).digest()
    return int.from_bytes(mac[:16], "big")


def author_tag(provider: bytes, associated: bytes, sealed: bytes) -> bytes:
    """Return what shows that a provider sealed a record."""
    author = child(provider, "author", b"")
    length = u128(len(sealed))
    hashed = polyval(child(author, "author", b"hash")[:16], associated, sealed, length)
    return Aes256(child(author, "author", b"tag")).encrypt(hashed)


def gcm_siv(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Return AES-256-GCM-SIV of a plaintext, with the tag at the end."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

    return AESGCMSIV(key).encrypt(nonce, plaintext, associated)


def file_description(case: dict) -> bytes:
    """Return the sealed description of a file: what it is called, and proofs of its keywords."""
    provider, nonce = bytes.fromhex(case["provider"]), bytes.fromhex(case["nonce"])
    readers: Epoch = (case["readers"]["number"], bytes.fromhex(case["readers"]["salt"]))
    handle, number = (int(case[name], 16) for name in ("handle", "file"))
    names = tuple(case["path"].split("/"))
    where = Place(names, tuple((epoch, b"") for epoch in case["epochs"]))
    record = row_key(portion_key(readers_key(provider, readers), "files"), handle)
    key = child(child(record, "file", number.to_bytes(16, "big")), "file", b"description")
    called = counted(case["name"]) + counted(case["media_type"]) + u64(case["size"])
    proofs = {reference.keyword_proof(provider, word, number) for word in case["keywords"]}
    bound = head("PLC", 2, bytes.fromhex(case["owner"])) + bytes(where) + epoch_bytes(readers)
    bound += u128(handle) + u128(number)
    return nonce + gcm_siv(key, nonce, called + listed(sorted(proofs)), bound)


# Tables: columns of name, type in words, kind and values


Column = tuple[str, str, str, list[Any]]


def cell(kind: str, value: Any) -> bytes:
    """Return the bytes of a value; null is the zero of its kind."""
    packed = {"int64": "<q", "uint64": "<Q", "float64": "<d", "boolean": "<?"}
    if kind == "text":
        return bytes([value is not None]) + counted(value or "")
    return bytes([value is not None]) + struct.pack(packed[kind], 0 if value is None else value)


def layout_bytes(columns: Sequence[tuple[int, Column]], id_column: str) -> bytes:
    """Return the layout of some columns of a table, each with its place in it."""
    described = [
        u32(place) + counted(name) + counted(words) + bytes([KINDS[kind], name == id_column])
        for place, (name, words, kind, _) in columns
    ]
    return head("LAY", 2) + listed(described)


def sorted_into(
    columns: Sequence[Column], portions: dict[str, list[str]]
) -> dict[str, list[tuple[int, Column]]]:
    """Return the columns of each portion that has some, with their places."""
    placed = list(enumerate(columns))
    of = {name: [(at, c) for at, c in placed if c[0] in names] for name, names in portions.items()}
    taken = {name for names in portions.values() for name in names}
    of["rest"] = [(at, column) for at, column in placed if column[0] not in taken]
    return {name: of_it for name, of_it in of.items() if of_it}


def packed(parts: Sequence[bytes]) -> bytes:
    """Return parts one after the other, after where each ends."""
    ends = itertools.accumulate(map(len, parts))
    return listed([u64(end) for end in ends]) + counted(b"".join(parts))


@dataclasses.dataclass
class Made:
    """An upload, and what it holds."""

    message: bytes
    number: int
    place: Place
    readers: Epoch
    handles: list[int]
    portions: list[tuple[str, bytes, list[bytes]]]

    def version(self, handle: int) -> int:
        """Return the version that it gave a row."""
        row = self.handles.index(handle)
        return version(self.number, handle, row_digest([rows[row] for _, _, rows in self.portions]))


class Party:
    """An owner, or a provider, that was made of a seed."""

    def __init__(self, schema: bytes, key: bytes, seed: bytes, place: Place, root: "Party | None"):
        self.schema, self.key, self.place = schema, key, place
        self.root = self if root is None else root
        self.authorities: dict[Place, Authority] = {}
        self.chain: list[bytes] = []
        self.stamp, self.readers = u64(0) + bytes(32), [FIRST]
        self._seed, self._drawn = seed, 0
        self._made: Counter[Place] = Counter()

    @classmethod
    def owner(cls, seed: int, schema: bytes) -> "Party":
        """Return the owner of a seed, whose schema has a digest."""
        key = hashlib.sha256(b"mopse insecure seed %d" % seed).digest()
        return cls(schema, key, child(key, "seed", b""), Place(), None)

    def draw(self, what: bytes) -> bytes:
        """Return the next 16 bytes."""
        label = b"/draw/" + what + self._drawn.to_bytes(8, "big")
        self._drawn += 1
        return child(self._seed, "seed", label)[:16]

    def number(self, what: bytes) -> int:
        """Return the next number."""
        return int.from_bytes(self.draw(what), "little")

    @staticmethod
    def signer(key: bytes) -> Any:
        """Return what the holder of a key signs with."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(child(key, "sign", b""))

    @classmethod
    def verification_key(cls, key: bytes) -> bytes:
        """Return what a holder's signatures are verified with."""
        return cls.signer(key).public_key().public_bytes_raw()

    @classmethod
    def signature(cls, key: bytes, message: bytes) -> bytes:
        """Return a holder's signature of a message."""
        hashed = hashlib.sha512(message).digest()
        return cls.signer(key).sign(b"mopse/v1 signature" + hashed)

    @property
    def name(self) -> bytes:
        """The owner's verification key."""
        return self.verification_key(self.root.key)

    def signed(self, message: bytes) -> bytes:
        """Return a message with the signature of this party."""
        return message + self.signature(self.key, message)

    def key_of(self, place: Place) -> bytes:
        """Return the key of a place at or below this one."""
        key = self.key
        for name, epoch in list(zip(place.names, place.epochs, strict=True))[
            len(self.place.names) :
        ]:
            key = child(key, "node", name.encode(), *epoch)
        return key

    def of(self, place: Place) -> Authority:
        """Return what is known of a node with others below it."""
        return self.authorities.setdefault(place, Authority())

    def place_of(self, path: str) -> Place:
        """Return the present place of a path below the owner."""
        place = Place()
        for name in path.split("/") if path else []:
            place = place.below(name, self.of(place).epochs[-1])
        return place

    def authorize(self, path: str) -> "Party":
        """Return the provider of a path below the owner, as the owner makes it."""
        place = self.place_of(path)
        above, name = self.of(place.above), place.names[-1]
        if all(member[::2] != (name, None) for member in above.members):
            above.members = sorted([*above.members, (name, len(above.epochs) - 1, None)])
        seed = child(self._seed, "seed", path.encode())
        if again := self._made[place]:
            seed = child(seed, "seed", b"/again/" + again.to_bytes(8, "big"))
        self._made[place] += 1
        party = Party(self.schema, self.key_of(place), seed, place, self.root)
        for depth in range(len(place.names)):
            upper = Place(place.names[:depth], place.epochs[:depth])
            subject = Place(place.names[: depth + 1], place.epochs[: depth + 1])
            public = self.verification_key(self.key_of(subject))
            stamp = self.of(upper).stamp()
            message = head("CRT", 2, self.name) + bytes(subject) + public + stamp
            signature = self.signature(self.key_of(upper), message)
            party.chain.append(bytes(subject) + public + b"\1" + stamp + signature)
        party.stamp, party.readers = above.stamp(), list(above.readers)
        return party

    def certificates(self) -> bytes:
        """Return the chain by itself."""
        return head("CHN", 2, self.name) + listed(self.chain)

    def announcements(self) -> bytes:
        """Return what a cloud enrols."""
        messages = []
        for place in (Place(), *sorted(self._current(Place()), key=lambda place: place.path)):
            of = self.of(place)
            ends = [(b"\0" if end is None else b"\1" + u32(end)) for _, _, end in of.members]
            members = [
                counted(name) + u32(start) + end
                for (name, start, _), end in zip(of.members, ends, strict=True)
            ]
            facts = b"".join(
                (
                    listed([epoch_bytes(epoch) for epoch in of.epochs]),
                    listed([epoch_bytes(epoch) for epoch in of.readers]),
                    listed(members),
                )
            )
            if facts != of.last:
                contents = head("ANN", 2, self.name) + bytes(place) + self.schema
                contents += listed(of.trail) + facts
                of.trail, of.last = [*of.trail, hashlib.sha256(contents).digest()], facts
            contents = head("ANN", 2, self.name) + bytes(place) + self.schema
            contents += listed(of.trail[:-1]) + facts
            messages.append(counted(self.signed(contents + listed(self.chain))))
        return head("PUB", 1, self.name) + listed(messages)

    def _children(self, place: Place) -> list[str]:
        return [name for name, _, end in self.of(place).members if end is None]

    def _current(self, place: Place) -> list[Place]:
        """Return who has others below it now, below a place."""
        epoch = self.of(place).epochs[-1]
        below = [place.below(name, epoch) for name in self._children(place)]
        with_others = [child for child in below if self.of(child).members]
        return with_others + [more for child in below for more in self._current(child)]

    def _move(self, old: Place, new: Place) -> None:
        """Make members of a node's new place of those of its old one."""
        for name in self._children(old):
            self.of(new).members.append((name, 0, None))
            self._move(old.below(name, self.of(old).epochs[-1]), new.below(name, FIRST))

    def revoke(self, path: str) -> None:
        """Begin the next epoch of the node above a provider, without it."""
        place = self.place_of(path)
        above = self.of(place.above)
        last = len(above.epochs) - 1
        above.members = [
            (name, start, last if name == place.names[-1] and end is None else end)
            for name, start, end in above.members
        ]
        epoch = above.epochs[-1]
        above.epochs.append((epoch[0] + 1, self.draw(b"epoch")))
        for name in self._children(place.above):
            old = place.above.below(name, epoch)
            self._move(old, place.above.below(name, above.epochs[-1]))

    def renew_readers(self, path: str) -> None:
        """Begin the next readers' epoch of those below a node."""
        of = self.of(self.place_of(path))
        of.readers.append((of.readers[-1][0] + 1, self.draw(b"readers")))

    def upload(
        self,
        columns: Sequence[Column],
        id_column: str,
        portions: dict[str, list[str]],
        entries: dict[str, list[tuple[int, int]]],
        named: dict[int, int] | None = None,
        removed: Sequence[tuple[Place, list[tuple[int, int]]]] = (),
    ) -> Made:
        """Return an upload of a table.

        Entries are ciphertexts and rows of the table, by field; `named` holds the version that a
        row takes the place of, by handle; what is removed goes by place.
        """
        ids = next((values for name, _, _, values in columns if name == id_column), [])
        order = sorted((handle_of(self.key, record), row) for row, record in enumerate(ids))
        handles = [handle for handle, _ in order]
        replaced = [(at, (named or {})[h]) for at, h in enumerate(handles) if h in (named or {})]
        about = b"".join(u128(handle) for handle in handles)
        about += b"".join(u128(taken) for _, taken in replaced)
        about += b"".join(u128(h) + u128(v) for _, rows in removed for h, v in rows)
        number = self.number(hashlib.sha256(about).digest())
        readers = self.readers[-1]
        parts = sorted_into(columns, portions)
        names = hashlib.sha256(listed([counted(name) for name in parts])).digest()
        sealed = [
            self._portion(name, names, of, id_column, order, number) for name, of in parts.items()
        ]
        position = {row: at for at, (_, row) in enumerate(order)}
        runs = []
        for field, of in entries.items():
            run = sorted((ciphertext, position[row]) for ciphertext, row in of)
            numbers = b"".join(struct.pack("<q", ciphertext) for ciphertext, _ in run)
            numbers += b"".join(u32(record) for _, record in run)
            runs.append(counted(field) + u64(len(run)) + numbers)
        body = listed([u128(handle) for handle in handles])
        body += b"".join(packed(rows) for _, _, rows in sealed)
        body += listed([u32(at) + u128(taken) for at, taken in replaced])
        body += listed(
            [bytes(place) + listed([u128(h) + u128(v) for h, v in rows]) for place, rows in removed]
        )
        body += listed(runs)
        message = head("UPL", 2, self.name) + bytes(self.place) + u128(number) + self.stamp
        message += self.schema + epoch_bytes(readers) + u32(0)
        message += listed([counted(name) + counted(layout) for name, layout, _ in sealed])
        message += u64(len(body)) + tree_root(body) + listed(self.chain)
        return Made(self.signed(message) + body, number, self.place, readers, handles, sealed)

    def _portion(
        self,
        name: str,
        names: bytes,
        columns: Sequence[tuple[int, Column]],
        id_column: str,
        order: Sequence[tuple[int, int]],
        number: int,
    ) -> tuple[str, bytes, list[bytes]]:
        """Return a portion of the rows, with its layout, sealed; `names` is a digest of all."""
        readers = self.readers[-1]
        layout = layout_bytes(columns, id_column)

        def context(letters: str, digest: bytes) -> bytes:
            about = head(letters, 2, self.name) + bytes(self.place) + epoch_bytes(readers)
            return hashlib.sha256(about + u128(number) + counted(name) + counted(digest)).digest()

        key = portion_key(readers_key(self.key, readers), name)
        nonce = u128(number)[:12]
        sealed_layout = gcm_siv(layout_key(key), nonce, layout, context("LAY", names))
        rows = []
        for handle, row in order:
            associated = context("REC", hashlib.sha256(layout).digest()) + u128(handle)
            plain = b"".join(cell(kind, values[row]) for _, (_, _, kind, values) in columns)
            sealed = gcm_siv(row_key(key, handle), nonce, plain, associated)
            rows.append(sealed + author_tag(self.key, associated, sealed))
        return name, sealed_layout, rows

    def query(
        self, tokens: Sequence[tuple[Place, Epoch, bytes, str | None, bytes]], expiry: int
    ) -> tuple[bytes, int, list[int]]:
        """Return a query, its number and those of its tokens.

        A token has the authority and the epoch of its group, a stamp, the name of one provider if
        it is of one, and what it asks for, as `ranges` and `records` write it.
        """
        numbers, written = [], []
        for authority, epoch, stamp, name, asks in tokens:
            numbers.append(self.number(b"token"))
            scope = b"\0" if name is None else b"\1" + counted(name)
            group = bytes(authority) + epoch_bytes(epoch)
            written.append(u128(numbers[-1]) + group + stamp + scope + asks)
        number = self.number(b"query")
        message = head("QRY", 2, self.name) + self.schema + u128(number) + u64(expiry)
        message += listed(self.chain) + listed(written)
        return self.signed(message), number, numbers

    def removal(self, place: Place) -> bytes:
        """Return the request to remove what a provider sent."""
        number = self.number(b"removal")
        message = head("RMV", 1, self.name) + u128(number) + bytes(place) + listed(self.chain)
        return self.signed(message)

    def grant(
        self,
        place: Place,
        readers: Sequence[Epoch],
        ids: Sequence[int | str] | None = None,
        portions: Sequence[str] | None = None,
        end: int = FOR_EVER,
    ) -> bytes:
        """Return what opens a provider's records; of single ones, these portions."""
        provider = self.key_of(place)
        openers = []
        for epoch in sorted(readers):
            whole = readers_key(provider, epoch)
            names = sorted(portions or [])
            if portions is None:
                opener = b"\1" + whole + u64(0) + u64(0)
            elif ids is None:
                keys = [counted(name) + portion_key(whole, name) for name in names]
                opener = b"\0" + listed(keys) + u64(0)
            else:
                handles = sorted(handle_of(provider, record) for record in ids)
                of_portions = []
                for name in names:
                    key = portion_key(whole, name)
                    rows = [u128(handle) + row_key(key, handle) for handle in handles]
                    of_portions.append(counted(name) + layout_key(key) + listed(rows))
                opener = b"\0" + u64(0) + listed(of_portions)
            openers.append(epoch_bytes(epoch) + opener)
        message = head("GRT", 2, self.name) + bytes(place) + counted(b"") + u64(end)
        return self.signed(message + listed(openers) + listed(self.chain))


def ranges(
    bounds: Sequence[tuple[str, int, int]], slots: Sequence[tuple[int, int]] | None = None
) -> bytes:
    """Return what a token asks for: records that hold ranges of ciphertexts, with their slots."""
    written = [
        b"\1" + u32(slots[at][0]) + u32(slots[at][1]) if slots else b"\0"
        for at in range(len(bounds))
    ]
    return b"\0" + listed(
        [
            counted(field) + struct.pack("<qq", low, high) + named
            for (field, low, high), named in zip(bounds, written, strict=True)
        ]
    )


def records(handles: Sequence[int]) -> bytes:
    """Return what a token asks for: records with these pseudonyms."""
    return b"\1" + listed([u128(handle) for handle in sorted(handles)])


def part(
    owner: bytes,
    token: int,
    snapshot: int,
    page: tuple[int, bool],
    made: Made | None,
    handles: Sequence[int],
    removed: Sequence[tuple[int, int]] = (),
) -> bytes:
    """Return a part of an answer: some rows of an upload, or nobody's."""
    place, number = (made.place, made.number) if made else (Place(), 0)
    message = head("ANS", 2, owner) + u128(token) + u64(snapshot)
    message += u32(page[0]) + bytes([page[1]]) + bytes(place) + u128(number)
    message += epoch_bytes(made.readers if made else FIRST)
    message += listed([u128(handle) for handle in handles])
    of_rows = []
    for name, layout, rows in made.portions if made else ():
        kept = [rows[made.handles.index(handle)] for handle in handles]
        of_rows.append(counted(name) + counted(layout) + packed(kept))
    return message + listed(of_rows) + listed([u128(h) + u128(by) for h, by in removed])


def answer(query: int, parts: Sequence[bytes]) -> bytes:
    """Return parts as they travel."""
    return head("ALL", 2) + u128(query) + listed([counted(part) for part in parts])


# Seals


@dataclasses.dataclass(frozen=True)
class SealedRow:
    """A row of a provider: what brought it, its pseudonym, H, and its cell in each field."""

    upload: int
    handle: int
    digest: bytes
    cells: dict[str, int]


@dataclasses.dataclass(frozen=True)
class SealedField:
    """A field as a seal takes it: the ruler's key, its cuts with both ends, the width of a cell."""

    ruler: bytes
    cuts: list[int]
    width: int
    is_proven: bool = True

    @property
    def slots(self) -> list[int]:
        """Which slot each cell, and what is after the last, has."""
        coins = Coins(child(self.ruler, "slot", b""))
        slots = list(range(len(self.cuts)))
        for at in range(len(slots) - 1, 0, -1):
            other = coins.uniform(7, 0, at, at + 1)
            slots[at], slots[other] = slots[other], slots[at]
        return slots


def leaf_of(provider: bytes, field: str, row: SealedRow) -> int:
    """Return the number that stands for a row in a field, or without a name in all of a seal."""
    key = child(provider, "leaf", b"")
    state = bytes(16)
    for block in (u128(row.upload), u128(row.handle), row.digest[:16], row.digest[16:]):
        state = Aes256(key).encrypt(bytes(a ^ b for a, b in zip(state, block, strict=True)))
    label = b"/" + field.encode() if field else b"all"
    return int.from_bytes(Aes256(child(key, "leaf", label)).encrypt(state), "little")


def mask_of(provider: bytes, field: str, content: bytes, place: int) -> int:
    """Return what hides a place of a table of a content."""
    key = child(provider, "mask", b"/" + field.encode() if field else b"")
    block = (reference.VERSION << 120 | 6 << 112 | place).to_bytes(16, "big")
    return int.from_bytes(Aes256(child(key, "mask", content)).encrypt(block), "little")


@dataclasses.dataclass(frozen=True)
class SealedFile:
    """A file of a provider: its record, its number, H, and its keywords."""

    handle: int
    number: int
    digest: bytes
    keywords: tuple[str, ...]


def keyword_tag(provider: bytes, word: str) -> bytes:
    """Return what stands for a keyword where its provider counts it."""
    return child(child(provider, "keyword", b""), "keyword", b"\x03" + word.encode())[:16]


def line_of(tag: bytes, content: bytes, files: Iterable[tuple[int, bytes]]) -> bytes:
    """Return what stands for a keyword and its files in a seal of a content: id and list."""
    named = b"".join(u128(number) + digest for number, digest in sorted(files))
    line_id = hmac.digest(tag, b"\0" + content, "sha256")[:16]
    return line_id + hmac.digest(tag, b"\1" + content + named, "sha256")


def lines_of(provider: bytes, content: bytes, files: Sequence[SealedFile]) -> list[bytes]:
    """Return a line for each keyword of files, and random ones for the other entries, in order."""
    words = sorted({word for file in files for word in file.keywords})
    lines = [
        line_of(
            keyword_tag(provider, word),
            content,
            [(file.number, file.digest) for file in files if word in file.keywords],
        )
        for word in words
    ]
    key = child(child(provider, "mask", b"lines"), "mask", content)
    for at in range(sum(len(file.keywords) for file in files) - len(words)):
        blocks = [reference.VERSION << 120 | 6 << 112 | 3 * at + of for of in range(3)]
        lines.append(b"".join(Aes256(key).encrypt(of.to_bytes(16, "big")) for of in blocks))
    return sorted(lines, key=lambda line: int.from_bytes(line[:16], "little"))


@dataclasses.dataclass
class MadeSeal:
    """A seal as it travels, and what it is made of."""

    message: bytes
    content: bytes
    digest: bytes
    tables: dict[str, list[int]]
    lines: list[bytes]


def seal(
    party: Party,
    rows: Sequence[SealedRow],
    fields: dict[str, SealedField],
    number: int = 1,
    before: bytes = bytes(32),
    lie: Callable[[dict[str, list[int]]], None] = lambda tables: None,
    where: Place | None = None,
    files: Sequence[SealedFile] = (),
) -> MadeSeal:
    """Return the seal of a provider's rows and files, at another place if that is said.

    A provider that lies changes its tables before it signs them.
    """
    fingerprint, entries = 0, []
    for row in rows:
        hashed = b"MOPSEROW" + u128(row.upload) + u128(row.handle) + row.digest
        fingerprint += int.from_bytes(hashlib.sha256(hashed).digest(), "little")
    for name, field in sorted(fields.items()):
        place = child(party.key, "place", name.encode())
        of = []
        for row in rows:
            if name in row.cells:
                plain = row.cells[name] * field.width
                at = reference.mopse_entry(field.cuts, field.width, place, plain, row.handle)
                of.append((at, row.handle, u128(row.upload) + row.digest))
        leaves = [struct.pack("<q", at) + u128(handle) + more for at, handle, more in sorted(of)]
        entries.append(counted(name) + committed(leaves))
    content = head("SEA", 1, party.name) + bytes(party.place) + bytes(where or party.place)
    content += u64(number) + before
    content += party.stamp + party.schema + u32(0) + u64(len(rows))
    content += (fingerprint % 2**256).to_bytes(32, "little") + listed(entries)
    filed = sorted((of.handle, of.number, of.digest) for of in files)
    content += committed([u128(handle) + u128(number) + more for handle, number, more in filed])
    digest = hashlib.sha256(content).digest()
    total = sum(leaf_of(party.key, "", row) for row in rows) + mask_of(party.key, "", digest, 0)
    tables = {}
    for name, field in sorted(fields.items()):
        if field.is_proven:
            tables[name] = [0] * len(field.cuts)
            for cell, slot in enumerate(field.slots):
                below = [row for row in rows if row.cells.get(name, cell) < cell]
                number_in = sum(leaf_of(party.key, name, row) for row in below)
                masked = number_in + mask_of(party.key, name, digest, cell)
                tables[name][slot] = masked % 2**128
    lie(tables)
    written = [
        counted(name) + u32(len(table)) + tree_of([u128(slot) for slot in table])
        for name, table in tables.items()
    ]
    lines = lines_of(party.key, digest, files)
    signed = content + u128(total % 2**128) + listed(written) + committed(lines)
    signed += listed(party.chain)
    slots = b"".join(u128(slot) for table in tables.values() for slot in table)
    made = party.signed(signed) + slots + b"".join(lines)
    return MadeSeal(made, digest, hashlib.sha256(signed).digest(), tables, lines)
