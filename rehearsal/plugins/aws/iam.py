"""IAM: the roles of instances, whose rights on buckets the object storage grants."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, ValidationError

from rehearsal.plugins.aws.resource_type import (
    ACCOUNT,
    AwsResourceType,
    Call,
    InputModel,
    Properties,
    Refused,
    Tags,
    tag_list,
)
from rehearsal.plugins.aws.s3 import storage
from rehearsal.region.object_storage import Account, Statement

BUCKET = "arn:aws:s3:::"


class RoleInputs(InputModel):
    name: str
    assume_role_policy: str
    tags: Tags = {}


class Role(AwsResourceType[RoleInputs]):
    token = "aws:iam/role:Role"
    replaces = frozenset({"name"})
    in_place = frozenset({"assume_role_policy", "tags"})
    computed = frozenset({"arn", "uniqueId"})
    auto_name = "name"

    def calls(self, inputs: RoleInputs) -> Iterator[Call]:
        yield Call(
            "iam",
            "CreateRole",
            RoleName=inputs.name,
            AssumeRolePolicyDocument=inputs.assume_role_policy,
            Tags=tag_list(inputs.tags),
        )

    def new_id(self, inputs: RoleInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: RoleInputs) -> Properties:
        self.region.roles[resource_id] = Account.new("AKIA")
        return {"arn": f"arn:aws:iam::{ACCOUNT}:role/{resource_id}", "uniqueId": f"AROA{secrets.token_hex(8).upper()}"}

    def on_delete(self, resource_id: str, inputs: RoleInputs) -> None:
        del self.region.roles[resource_id]


class PolicyStatement(BaseModel):
    """A statement of a policy that the object storage can grant."""

    model_config = ConfigDict(extra="forbid")

    Effect: str
    Action: list[str]
    Resource: str


class RolePolicyInputs(InputModel):
    name: str
    role: str
    policy: str


class RolePolicy(AwsResourceType[RolePolicyInputs]):
    """The rights of a role on one bucket; the policy of another service is refused."""

    token = "aws:iam/rolePolicy:RolePolicy"
    replaces = frozenset({"name", "role"})
    in_place = frozenset({"policy"})
    auto_name = "name"

    def calls(self, inputs: RolePolicyInputs) -> Iterator[Call]:
        yield Call("iam", "PutRolePolicy", RoleName=inputs.role, PolicyName=inputs.name, PolicyDocument=inputs.policy)

    def new_id(self, inputs: RolePolicyInputs) -> str:
        return f"{inputs.role}:{inputs.name}"

    def on_create(self, resource_id: str, inputs: RolePolicyInputs) -> Properties:
        if inputs.role not in self.region.roles:
            raise Refused(f"NoSuchEntity: The role with name {inputs.role} cannot be found.")
        self._permit(inputs, granted=True)
        return {}

    def on_update(self, resource_id: str, old: RolePolicyInputs, new: RolePolicyInputs) -> Properties:
        self._permit(new, granted=True)
        return {}

    def on_delete(self, resource_id: str, inputs: RolePolicyInputs) -> None:
        self._permit(inputs, granted=False)

    def _permit(self, inputs: RolePolicyInputs, *, granted: bool) -> None:
        statements = statements_of(inputs.policy)
        account = self.region.roles[inputs.role]
        bucket = statements[0].Resource.removeprefix(BUCKET).split("/")[0]
        rights = [Statement(account, each.Action, each.Resource) for each in statements] if granted else []
        storage(self.region).permit(bucket, rights)


def statements_of(policy: str) -> list[PolicyStatement]:
    """The statements of a policy. Raises `Refused` for one that the object storage cannot grant."""
    try:
        statements = [PolicyStatement.model_validate(each) for each in json.loads(policy)["Statement"]]
    except ValidationError as error:
        raise Refused(f"RolePolicy: a policy of this form is not supported by the rehearsal: {error}") from error
    for each in statements:
        for action in each.Action:
            if each.Effect != "Allow" or not action.startswith("s3:") or not each.Resource.startswith(BUCKET):
                raise Refused(f"RolePolicy: {each.Effect} {action} is not supported by the rehearsal")
    return statements


class InstanceProfileInputs(InputModel):
    name: str
    role: str
    tags: Tags = {}


class InstanceProfile(AwsResourceType[InstanceProfileInputs]):
    token = "aws:iam/instanceProfile:InstanceProfile"
    replaces = frozenset({"name"})
    computed = frozenset({"arn", "uniqueId"})
    auto_name = "name"

    def calls(self, inputs: InstanceProfileInputs) -> Iterator[Call]:
        name = inputs.name
        yield Call("iam", "CreateInstanceProfile", InstanceProfileName=name, Tags=tag_list(inputs.tags))
        yield Call("iam", "AddRoleToInstanceProfile", InstanceProfileName=name, RoleName=inputs.role)

    def new_id(self, inputs: InstanceProfileInputs) -> str:
        return inputs.name

    def on_create(self, resource_id: str, inputs: InstanceProfileInputs) -> Properties:
        if inputs.role not in self.region.roles:
            raise Refused(f"NoSuchEntity: The role with name {inputs.role} cannot be found.")
        arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/{resource_id}"
        return {"arn": arn, "uniqueId": f"AIPA{secrets.token_hex(8).upper()}"}


RESOURCE_TYPES = [Role, RolePolicy, InstanceProfile]
