"""The SSH key that logs in to the nodes."""

from __future__ import annotations

import pulumi
import pulumi_tls as tls
from pulumi_aws import ec2

from components.formerly import formerly


class SshKey(pulumi.ComponentResource):
    """One SSH key for the stack, its public half registered with Amazon (TLS private key, key pair)."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ha-wordpress:aws:SshKey", name, None, formerly("ha-wordpress:aws:Login", opts))
        child = pulumi.ResourceOptions(parent=self)
        key = tls.PrivateKey(name, algorithm="ED25519", opts=child)
        pair = ec2.KeyPair(name, public_key=key.public_key_openssh.apply(str.strip), opts=child)
        self.private_key = key.private_key_openssh
        self.key_name = pair.key_name
        self.register_outputs({"key_name": self.key_name})
