"""Proxy re-encryption: a server turns what an owner encrypted into what one user opens.

An owner wraps a grant of a portion of a provider's records once, for all who will ever read it, and
makes a re-encryption key for each of them of its *public* key. A proxy has these keys and turns the
envelope into what one user opens. `published` is SeSPHR as it is printed, and for evaluation only:
its server reads everything.

- ``a``, of the owner's key tree: one for each portion and readers' epoch of each provider.
- ``b``, of a user or role: `Keys`; ``PK = g2^b``, with a proof that ``b`` is known.
- ``g1^(a k)``, and the grant under ``Z^k``, with ``k`` drawn each time: `wrap`.
- ``PK^(1 / a)``, for the proxy: `reencryption_key`.
- ``e(g1^(a k), PK^(1 / a)) = Z^(k b)``, for the user, who takes its ``1 / b``-th power:
  `Proxy.release` and `Keys.open`.

A **joiner** reads the readers' epochs that it is given keys of, see `epochs`. For a **leaver**
`Proxy.forget` it, begin new epochs by `mopse.Owner.renew_readers`, wrap anew, and make keys for who
stays; what it opened it has. A **role** is `Keys` that its keeper hands to the members, so that the
owner may be away; the keeper reads what the role reads, and makes others when a member leaves.

Notes
-----
**Security** [1]_: proxy and cloud learn nothing together, under the assumptions of [1]_, if all
randomness is good; IND-CPA, made robust by the owner's signature, authenticated encryption and a
commitment to the key: nothing but what the owner wrapped is re-encrypted, and a wrong answer of the
proxy is refused. Unidirectional, of a single hop. The proxy with a user opens what that user may
read, also without being asked, and no other portion or epoch. Not post-quantum.

**Leakage**: envelopes name owner, provider, portion and epoch; the proxy sees who is given keys of
what and who asks. Whoever opens an envelope has a grant that names no holder, and can pass it on.

**Cost**, in pairings, of 0.6 to 0.8 ms: an envelope 0.5; a key 0.3, and 0.7 to verify the public
key; the proxy 1.2 and the user 1.1 for each opening. No public-key work for any record.

**Or** `mopse.Owner.share`, simpler and quicker throughout, 0.25 and 0.16 for each user: it needs no
proxy, names the holder, and can be post-quantum, but seals a grant for each user. An envelope is
one whatever the number of users, and a role's readers come later without the owner.

**Deviations** from SeSPHR [2]_: grants are wrapped and not data; users make their own keys; a key
for each portion and epoch in place of one of the owner's; roles by keys and not by certificates.

References
----------
.. [1] G. Ateniese, K. Fu, M. Green and S. Hohenberger, "Improved Proxy Re-Encryption Schemes with
   Applications to Secure Distributed Storage", NDSS 2005, section 3.
.. [2] M. Ali, A. Abbas, M. U. S. Khan and S. U. Khan, "SeSPHR: A Methodology for Secure Sharing of
   Personal Health Records in the Cloud", IEEE Transactions on Cloud Computing, 2018.

Examples
--------
>>> import mopse, polars as pl
>>> from mopse.sharing import reencryption
>>> schema = mopse.Schema(age=mopse.Field(0, 120, cell=10))
>>> owner, cloud = mopse.Owner.generate(schema), mopse.Cloud()
>>> hospital = owner.authorize("hospital")
>>> cloud.enroll(owner.public)
>>> receipt = cloud.receive(hospital.encrypt(pl.DataFrame({"id": [1], "age": [50]}), id="id"))
>>> doctor, proxy = reencryption.Keys(), reencryption.Proxy()
>>> envelope = reencryption.wrap(owner, "hospital", "rest")  # for all readers
>>> proxy.receive(reencryption.reencryption_key(owner, "hospital", "rest", doctor.public))
>>> grant = doctor.open(envelope, proxy.release(envelope, doctor.name))
>>> mopse.User(schema, [grant]).ask(cloud, owner.query(age=(40, 60)))["id"].to_list()
[1]
"""

from mopse.sharing.reencryption import published
from mopse.sharing.reencryption._wrapping import (
    Keys,
    Label,
    Proxy,
    epochs,
    label_of,
    reencryption_key,
    wrap,
)

__all__ = [
    "Keys",
    "Label",
    "Proxy",
    "epochs",
    "label_of",
    "published",
    "reencryption_key",
    "wrap",
]
