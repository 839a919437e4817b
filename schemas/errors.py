"""The errors a user can meet: what was found, what was expected, what to do.

No message carries a subscriber's identifier or an exact count: messages cross the confidentiality line in logs,
orchestrators and bug reports.
"""


class WhimbrelError(Exception):
    """A user's mistake or a refusal, told in three parts: found, expected, remedy.

    Args:
        found: What is there; never an identifier of a subscriber nor an exact count.
        expected: What should have been there.
        remedy: What the reader can do about it, in one sentence.
    """

    def __init__(self, found: str, expected: str = "", remedy: str = "") -> None:
        self.found, self.expected, self.remedy = found, expected, remedy
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [self.found]
        if self.expected:
            parts.append(f"Expected: {self.expected}.")
        if self.remedy:
            parts.append(f"Remedy: {self.remedy}.")
        return " ".join(parts)


class ConfigError(WhimbrelError):
    """The configuration, a mapping, a key file or a command-line argument cannot be used."""


class ContractError(WhimbrelError):
    """A table does not keep its contract."""


class InputError(WhimbrelError):
    """A delivery, a cell table or a needed day is missing or unreadable."""


class StorageError(WhimbrelError):
    """A disk is full, or refuses to be written to."""


class QualityGateError(WhimbrelError):
    """Released counts say that days are not complete."""


class BundleError(WhimbrelError):
    """A release bundle is damaged or contradicts itself."""


class PrivacyError(WhimbrelError):
    """The confidentiality line refuses."""


class BudgetExceededError(PrivacyError):
    """A release would overrun a pool of a privacy month."""


class SpecificationChangedError(PrivacyError):
    """A release already reserved under another specification cannot be changed."""


class LedgerError(PrivacyError):
    """The ledger is inconsistent, or older than what was already published."""


class SealLostError(PrivacyError):
    """A sealed artefact is gone or altered: the release is burned and its budget stays spent."""


class UnboundedContributionError(PrivacyError):
    """A contribution exceeds the bound that its release declares."""


class SignatureError(PrivacyError):
    """A signed statement was altered, or is not what its signer signed."""


class ApprovalError(PrivacyError):
    """A release or an event lacks a valid approval, or an approval lacks a trusted signer."""
