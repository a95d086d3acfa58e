"""What can be wrong with an identity.

Tree::

    ProvisioningError
    ├── IdentityError    a folder of keys and certificates is missing, damaged or already there
    └── ProofError       a gateway's claim to a batch key does not hold
"""


class ProvisioningError(Exception):
    """An identity cannot be made, read or believed; the text says what, where and what was expected."""


class IdentityError(ProvisioningError):
    """A folder of keys and certificates is missing, damaged or already there."""


class ProofError(ProvisioningError):
    """A gateway's claim to a batch key does not hold."""
