"""The SSH key that logs in to the nodes."""

from __future__ import annotations

import pulumi
import pulumi_digitalocean as digitalocean
import pulumi_tls as tls

from components.formerly import formerly


class SshKey(pulumi.ComponentResource):
    """One SSH key for the stack, its public half registered with DigitalOcean (TLS private key, SSH key)."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "ha-wordpress:digitalocean:SshKey", name, None, formerly("ha-wordpress:digitalocean:Login", opts)
        )
        child = pulumi.ResourceOptions(parent=self)
        key = tls.PrivateKey(name, algorithm="ED25519", opts=child)
        public = digitalocean.SshKey(
            name, name=pulumi.get_stack(), public_key=key.public_key_openssh.apply(str.strip), opts=child
        )
        self.private_key = key.private_key_openssh
        self.fingerprint = public.fingerprint
        self.register_outputs({"fingerprint": self.fingerprint})
