"""SeSPHR as it is printed [1]_. For evaluation only: it falls to each attack named below.

A server makes the keys of owners and users, keeps a copy of all, and has the access list. An owner
encrypts each portion of a file for the cloud and sends the server what hides its mask. The server
turns that into what one user opens. Numbers of equations are the paper's:

- ``(5)`` ``SK = x``, ``PK = g2^x``: `Server.enroll` and `Server.join`.
- ``(6)-(13)`` ``C = Z^r PHR``, ``R_P = g1^(r x_P)``: `Keys.encrypt`.
- ``(14)-(18)`` ``RK = g2^(x_U / x_P)``, ``R_U = e(R_P, RK)``: `Server.release`.
- ``(19)-(22)`` ``PHR = C / R_U^(1 / x_U)``: `Keys.decrypt`.

What it gives away, and by which attack:

- All to the server, which has all keys: `mopse.attacks.read_with_escrow`.
- All of an owner's to a user that is shown its re-encryption key:
  `mopse.attacks.read_with_reencryption_key`.
- A portion to whoever knows 64 bytes of it: `mopse.attacks.read_from_chunk`.
- What a user was once sent to it after it left: `mopse.attacks.read_with_kept`.
- Which chunks are those of a list, to the cloud without a key: `mopse.attacks.match_chunks`.
- As chunks are encoded here, all to the cloud without a key: `mopse.attacks.read_by_norm`.

Nothing shows that a ciphertext was changed, or its chunks moved. Share by `mopse.Owner.share`.

Notes
-----
**Deviations**: BLS12-381 for the paper's curve of some 80 bits of security; its pairing is not
symmetric, so capsules are in one group, public and re-encryption keys in the other. How a chunk of
64 bytes becomes an element is not printed: here it fills two coefficients of a subfield. Roles are
what `Server.join` is told, without certificates. **Cost**: a pairing and four powers of group
elements for each portion and user, whatever the length; a product for each chunk to encrypt and to
decrypt; a ciphertext has nine times the bytes of its plaintext.

References
----------
.. [1] M. Ali, A. Abbas, M. U. S. Khan and S. U. Khan, "SeSPHR: A Methodology for Secure Sharing of
   Personal Health Records in the Cloud", IEEE Transactions on Cloud Computing, 2018, sections 3
   and 4.

Examples
--------
>>> from mopse.sharing.reencryption import published
>>> server = published.Server()
>>> ann, ben = server.enroll("ann"), server.join("ben", "physician")
>>> ciphertext, capsule = ann.encrypt("visit", "medical", b"shortness of breath")
>>> server.receive("ann", capsule)
>>> ben.decrypt(ciphertext, server.release("ann", "visit", "medical", "ben"))
b'shortness of breath'
"""

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, Never

from mopse import _mopse
from mopse._checked import checked
from mopse._checks import byte_array
from mopse.errors import WrongTypeError

__all__ = ["CHUNK_BYTES", "PORTIONS", "ROLES", "Keys", "Server"]

CHUNK_BYTES = 64
"""Bytes of a chunk, of which each is multiplied by the one mask of its portion."""

PORTIONS = ("personal", "medical", "insurance", "prescription")
"""The portions of the paper's records."""

ROLES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "family": (),
        "physician": ("medical",),
        "pharmacist": ("prescription", "insurance"),
        "insurer": ("insurance",),
        "researcher": ("medical",),
    }
)
"""Portions by role, as the paper prints them; family gets all of them by `Server.approve` alone.

A researcher's is to be de-identified beforehand. There is no line for physicians, but that a doctor
opens the medical portion.
"""

_MOST = 2**63 - 1


class Keys:
    """The keys of an owner or a user. For evaluation only, see `published`.

    Parameters
    ----------
    name : str
        Whose they are; 1 to 255 bytes.

    Raises
    ------
    mopse.errors.InvalidInputError
        If the name is empty or too long.

    Notes
    -----
    `Server.enroll` and `Server.join` make keys, and keep a copy: equation (5). Those that are made
    here no server has, which the paper does not foresee.
    """

    @checked()
    def __init__(self, name: str) -> None:
        self._keys = _mopse.sharing.PublishedKeys(name)

    @classmethod
    def _of(cls, keys: _mopse.sharing.PublishedKeys) -> "Keys":
        made = cls.__new__(cls)
        made._keys = keys
        return made

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: use one object everywhere")

    def __repr__(self) -> str:
        return f"Keys({self.name!r})"

    @property
    def name(self) -> str:
        """Whose they are."""
        return self._keys.name

    @property
    def public(self) -> bytes:
        """The public key: 96 bytes."""
        return self._keys.public

    @property
    def secret(self) -> bytes:
        """The secret key: 32 bytes, which the server has too."""
        return self._keys.secret

    @checked()
    def encrypt(self, file: str, portion: str, plaintext: Any) -> tuple[bytes, bytes]:
        """Encrypt a portion of a file of this owner's: equations (6) to (13).

        Parameters
        ----------
        file, portion : str
            Their names, which cloud and server see; 1 to 255 bytes.
        plaintext : bytes-like
            Of any length.

        Returns
        -------
        ciphertext : bytes
            For the cloud: 576 bytes for each 64 of the plaintext, and the names.
        capsule : bytes
            For the server: 48 bytes, and the names.

        Raises
        ------
        mopse.errors.InvalidInputError
            If a name is empty or too long.
        """
        return self._keys.encrypt(file, portion, byte_array(plaintext, "plaintext"))

    @checked()
    def decrypt(self, ciphertext: bytes, released: bytes) -> bytes:
        """Decrypt what the server has re-encrypted for this user: equations (19) to (22).

        Parameters
        ----------
        ciphertext : bytes
            From the cloud.
        released : bytes
            From `Server.release`.

        Returns
        -------
        bytes
            The portion. Chunks that were moved, doubled or left out go unnoticed.

        Raises
        ------
        mopse.errors.DamagedFileError
            If a message is malformed, or what is in it is in no group.
        mopse.errors.DecryptionError
            If a chunk opens to none.
        mopse.errors.ScopeError
            If the two are not of one portion, or are for another user.
        """
        return self._keys.open(ciphertext, released)

    @checked()
    def decrypt_own(self, ciphertext: bytes, capsule: bytes) -> bytes:
        """Decrypt a portion of this owner's own.

        Parameters
        ----------
        ciphertext, capsule : bytes
            From `encrypt`.

        Returns
        -------
        bytes
            The portion, see `decrypt`.

        Raises
        ------
        mopse.errors.DamagedFileError
            If a message is malformed, or what is in it is in no group.
        mopse.errors.DecryptionError
            If a chunk opens to none.
        mopse.errors.ScopeError
            If the two are not of one portion of this owner's.
        """
        return self._keys.open_own(ciphertext, capsule)


class Server:
    """The setup and re-encryption server, with everybody's keys. For evaluation only.

    Notes
    -----
    **Leakage**: it has all keys, so it reads whatever the cloud shows it; see `published`.
    """

    def __init__(self) -> None:
        self._server = _mopse.sharing.PublishedServer()

    def __reduce__(self) -> Never:
        raise WrongTypeError("keys are neither pickled nor copied: make a server, and all join it")

    def __repr__(self) -> str:
        owners, users = self._server.sizes
        return f"Server(owners={owners}, users={users})"

    @checked()
    def enroll(
        self,
        name: str,
        *,
        portions: Sequence[str] = PORTIONS,
        roles: Mapping[str, Sequence[str]] = ROLES,
    ) -> Keys:
        """Register an owner with its access list.

        Parameters
        ----------
        name : str
            Whose nobody else's is.
        portions : sequence of str
            The portions that there are.
        roles : mapping from str to sequence of str
            Which of them each role opens by default.

        Returns
        -------
        Keys
            The owner's, of which the server keeps a copy.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the name is taken, a name is empty or too long, or a role has a portion that is none.
        """
        by_role = {role: set(opened) for role, opened in roles.items()}
        return Keys._of(self._server.enroll(name, set(portions), by_role))

    @checked(now=(0, _MOST))
    def join(
        self,
        name: str,
        role: str,
        *,
        files: Literal["from-joining", "all"] = "from-joining",
        now: int | None = None,
    ) -> Keys:
        """Register a user.

        Parameters
        ----------
        name : str
            Whose nobody else's is.
        role : str
            What owners' access lists call users of its kind.
        files : str
            ``"from-joining"`` for files that come from now on, as section 3 of the paper has it
            unless told otherwise; ``"all"`` for those from before too, as its section 4 has it for
            all new users. That calls it backward access control, which is elsewhere the name of its
            opposite.
        now : int, optional
            Seconds since 1970; by default the clock's.

        Returns
        -------
        Keys
            The user's, of which the server keeps a copy.

        Raises
        ------
        mopse.errors.InvalidInputError
            If the name is taken, or a name is empty or too long.
        """
        return Keys._of(self._server.join(name, role, files == "all", _seconds(now)))

    @checked()
    def approve(self, owner: str, user: str, portions: Sequence[str]) -> None:
        """Give a user portions beyond its role's, as their owner has approved.

        Parameters
        ----------
        owner, user : str
            Their names.
        portions : sequence of str
            All that there are, for family.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such owner, user or portion.
        """
        self._server.approve(owner, user, set(portions))

    @checked()
    def leave(self, user: str) -> None:
        """Let a user go: its keys are deleted and it is dropped from the access lists.

        Parameters
        ----------
        user : str
            Its name.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such user.

        Notes
        -----
        As printed, nothing is encrypted anew: what it was ever sent it opens for ever, see
        `mopse.attacks.read_with_kept`.
        """
        self._server.leave(user)

    @checked(now=(0, _MOST))
    def receive(self, owner: str, capsule: bytes, *, now: int | None = None) -> None:
        """Keep what an owner has sent of a portion.

        Parameters
        ----------
        owner : str
            Who sends it.
        capsule : bytes
            From `Keys.encrypt`. One of the same portion takes the place of an earlier one.
        now : int, optional
            Seconds since 1970; by default the clock's. A file is as old as its first capsule.

        Raises
        ------
        mopse.errors.DamagedFileError
            If it is malformed, or its point is off the curve, outside the group, or the identity.
        mopse.errors.InvalidInputError
            If there is no such owner or portion.
        mopse.errors.ScopeError
            If it is of another owner.
        """
        self._server.receive(owner, capsule, _seconds(now))

    @checked()
    def release(self, owner: str, file: str, portion: str, user: str) -> bytes:
        """Re-encrypt a portion for a user: equations (14) to (18).

        Parameters
        ----------
        owner, file, portion : str
            Which portion.
        user : str
            For whom.

        Returns
        -------
        bytes
            576 bytes, and the names.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such owner, file, portion or user.
        mopse.errors.ScopeError
            If neither its role nor an approval gives the user the portion, or the file is from
            before it joined.
        """
        return self._server.release((owner, file, portion), user)

    @checked()
    def reencryption_key(self, owner: str, user: str) -> bytes:
        """Return the key that turns an owner's capsules into a user's: equation (14).

        Parameters
        ----------
        owner, user : str
            Their names.

        Returns
        -------
        bytes
            96 bytes. The paper has the server compute and "transmit" it; a user that is sent it
            reads all that the owner encrypts: `mopse.attacks.read_with_reencryption_key`.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is no such owner or user.
        """
        return self._server.re_encryption_key(owner, user)

    @checked()
    def escrow(self, name: str) -> Keys:
        """Return the keys of an owner or a user, as the server has them.

        Parameters
        ----------
        name : str
            Whose.

        Returns
        -------
        Keys
            The same as the owner's or user's own.

        Raises
        ------
        mopse.errors.InvalidInputError
            If there is nobody of that name.
        """
        return Keys._of(self._server.escrow(name))


def _seconds(now: int | None) -> int:
    return int(time.time()) if now is None else now
