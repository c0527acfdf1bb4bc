"""An account as its file has it, and the error of a file that can't be used."""

import dataclasses
from typing import Any, Optional

TO_BE_ASKED = "TBD"
BY_COMMAND = "SECRET"  # instead of a credential, or of all of them: secret_command prints it


class AccountsError(Exception):
    """An accounts file that can't be used; the message says where and what to do."""


@dataclasses.dataclass(frozen=True)
class Account:
    """An account as its file has it: ``credentials`` may hold references, which ``resolved`` replaces."""

    name: str
    provider: str
    credentials: dict[str, Any] = dataclasses.field(repr=False)
    options: dict[str, Any]
    demo: bool
    secret_command: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    all_by_command: bool = False  # the command prints all credentials
    profile: Optional[str] = None  # of AWS
    cloud: Optional[str] = None  # of OpenStack's clouds.yaml

    def event(self) -> dict[str, Any]:
        """The event that the platform's scheduler would send for this account."""
        return {
            "account_id": self.name,
            "customer_id": "local",
            "user_id": "local",
            "provider": self.provider,
            "poll_interval": 3600,
            "poll_type": "resources",
            "credentials": self.credentials,
            "options": self.options,
            "resource": {
                "id": self.name,
                "type": "account",
                "account_id": self.name,
                "customer_id": "local",
                "poll_interval": 3600,
            },
        }
