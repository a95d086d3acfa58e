"""What can be wrong with an identity.

Tree::

    ProvisioningError
    ├── IdentityError    a folder of keys and certificates is missing, damaged or already there
    ├── ProofError       a gateway's claim to a batch key does not hold
    ├── RequestError     a certificate request, claim or answer is not as it must be
    └── EnrolmentError   a gateway gets no certificate; whether it may ask again is in `again`
"""


class ProvisioningError(Exception):
    """An identity cannot be made, read or believed; the text says what, where and what was expected."""


class IdentityError(ProvisioningError):
    """A folder of keys and certificates is missing, damaged or already there."""


class ProofError(ProvisioningError):
    """A gateway's claim to a batch key does not hold."""


class RequestError(ProvisioningError):
    """A certificate request, a claim or an answer of the other end is not as it must be."""


class EnrolmentError(ProvisioningError):
    """A gateway got no certificate. `again` says whether asking later may help."""

    def __init__(self, text: str, *, again: bool, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.again = again
        self.wait_s = wait_s
        """How long the hub asks to be left alone, in seconds; 0 when it did not say."""
