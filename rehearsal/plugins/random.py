"""Stand-in for pulumi-random: passwords and ids from the host's random numbers."""

from __future__ import annotations

import base64
import secrets
import string
from typing import ClassVar

from rehearsal.plugins.protocol import InputModel, Properties, Provider, ResourceType


class RandomPasswordInputs(InputModel):
    length: int
    lower: bool = True
    upper: bool = True
    number: bool = True
    numeric: bool = True
    special: bool = True
    override_special: str = "!@#$%&*()-_=+[]{}<>:?"
    min_lower: int = 0
    min_upper: int = 0
    min_numeric: int = 0
    min_special: int = 0
    keepers: dict[str, str] = {}


class RandomPassword(ResourceType[RandomPasswordInputs]):
    """A password of `length` characters, with at least `min_…` characters of each class."""

    token = "random:index/randomPassword:RandomPassword"
    computed = frozenset({"result", "bcryptHash"})

    replaces: ClassVar[frozenset[str]] = frozenset(
        field.alias or name for name, field in RandomPasswordInputs.model_fields.items()
    )

    def create(self, inputs: RandomPasswordInputs, urn: str) -> tuple[str, Properties]:
        classes = [
            (string.ascii_lowercase, inputs.lower, inputs.min_lower),
            (string.ascii_uppercase, inputs.upper, inputs.min_upper),
            (string.digits, inputs.numeric and inputs.number, inputs.min_numeric),
            (inputs.override_special, inputs.special, inputs.min_special),
        ]
        drawn = [secrets.choice(letters) for letters, _, least in classes for _ in range(least)]
        alphabet = "".join(letters for letters, wanted, _ in classes if wanted)
        drawn += [secrets.choice(alphabet) for _ in range(inputs.length - len(drawn))]
        secrets.SystemRandom().shuffle(drawn)
        return "none", {"result": "".join(drawn), "bcryptHash": ""}

    def read(self, resource_id: str) -> bool:
        return True

    def delete(self, resource_id: str, state: Properties, inputs: RandomPasswordInputs) -> None: ...


class RandomIdInputs(InputModel):
    byte_length: int
    keepers: dict[str, str] = {}
    prefix: str = ""


class RandomId(ResourceType[RandomIdInputs]):
    """A random number of `byte_length` bytes, as text in several bases."""

    token = "random:index/randomId:RandomId"
    computed = frozenset({"b64Std", "b64Url", "dec", "hex"})
    replaces = frozenset({"byteLength", "keepers", "prefix"})

    def create(self, inputs: RandomIdInputs, urn: str) -> tuple[str, Properties]:
        number = secrets.token_bytes(inputs.byte_length)
        url = base64.urlsafe_b64encode(number).decode().rstrip("=")
        return url, {
            "b64Std": inputs.prefix + base64.b64encode(number).decode(),
            "b64Url": inputs.prefix + url,
            "dec": inputs.prefix + str(int.from_bytes(number)),
            "hex": inputs.prefix + number.hex(),
        }

    def read(self, resource_id: str) -> bool:
        return True

    def delete(self, resource_id: str, state: Properties, inputs: RandomIdInputs) -> None: ...


def provider() -> Provider:
    return Provider("random", [RandomPassword(), RandomId()])
