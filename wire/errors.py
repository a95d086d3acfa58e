"""What can be wrong with something received.

Tree::

    WireError
    ├── TopicError       the topic is not one of ours
    ├── FrameError       the envelope: too short, unknown version or flag, too large, bad compression
    ├── SignatureError   the envelope is well formed, but its signature is not
    └── MessageError     the body is not the message that its topic calls for
"""


class WireError(Exception):
    """Something received does not keep the contract; the text says what, where and what was expected."""


class TopicError(WireError):
    """The topic is not one of the contract's."""


class FrameError(WireError):
    """The envelope cannot be read."""


class SignatureError(WireError):
    """The signature does not belong to this topic, body and key."""


class MessageError(WireError):
    """The body is not the message that its topic calls for."""
