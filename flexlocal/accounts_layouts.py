"""Accounts as other tools keep them: the older multi-cloud layouts, OpenStack's clouds.yaml, and AWS profiles.

They are only read. docs/operate/accounts.md has the tables of keys. What is not understood is refused, by this module or,
where it becomes a credential that the provider does not know, when the account is used.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from flexlocal.account import AccountsError
from flexlocal.accounts_text import content_of, text_of

# --- files of clouds -------------------------------------------------------------------------------

# type or cm_type of an older layout
_PROVIDERS = {"openstack": "openstack", "ec2": "aws", "aws": "aws"}
_EC2 = {
    "EC2_ACCESS_KEY": "aws_access_key_id",
    "EC2_SECRET_KEY": "aws_secret_access_key",
    "EC2_URL": "endpoint_url",
}
# Of EC2's older tools, and of an openrc file's additions: of no effect on a poll.
_NOT_CREDENTIALS = {
    "EC2_CERT",
    "EC2_PRIVATE_KEY",
    "EC2_USER_ID",
    "EUCALYPTUS_CERT",
    "NOVA_CERT",
    "keyname",
    "userid",
}
# Keys of clouds.yaml about versions of APIs and about creating servers: of no effect on a poll.
_NO_EFFECT = re.compile(
    r"\w+_api_version|\w+_default_microversion|api_timeout|external_network|floating_ip_source|force_ipv4"
    r"|image_format|internal_network|nat_destination|nat_source|networks|secgroup_source|use_external_network"
    r"|use_internal_network"
)
_REFUSED = {
    "cert": "a client certificate is not supported",
    "key": "a client certificate is not supported",
    "cloud": "a vendor's profile is not read: write its auth_url",
    "profile": "a vendor's profile is not read: write its auth_url",
}
_AUTH_TYPES = {
    "password",
    "token",
    "v3applicationcredential",
    "v3password",
    "v3token",
}


def is_one(content: Mapping[Any, Any]) -> bool:
    """Whether the content of a file is one of the layouts with ``clouds``."""
    return "clouds" in content or "cloudmesh" in content


def converted(content: Mapping[Any, Any], file: str) -> dict[str, Any]:
    """The content of such a file in the layout of an accounts file. Raises AccountsError naming the entry."""
    inner = content.get("cloudmesh", {})
    if not isinstance(inner, dict):
        raise AccountsError(f"{file}: 'cloudmesh' should be a map")
    clouds = content.get("clouds", inner.get("clouds"))
    if not isinstance(clouds, dict):
        raise AccountsError(f"{file}: 'clouds' should be a map of name to cloud")
    accounts = {}
    for name in _active(content.get("active", inner.get("active")), clouds, file):
        where = f"{file}: cloud {name!r}"
        cloud = clouds[name]
        if not isinstance(cloud, dict):
            raise AccountsError(f"{where} should be a map")
        if "credentials" in cloud:
            provider, credentials = _of_older(cloud, where)
        elif "auth" in cloud:
            provider, credentials = "openstack", _of_clouds_yaml(cloud, where)
        else:
            raise AccountsError(f"{where} has neither 'credentials' nor 'auth'")
        accounts[name] = {"provider": provider, "credentials": _literally(credentials)}
    return {"version": 1, "accounts": accounts}


def _active(active: Any, clouds: Mapping[Any, Any], file: str) -> list[Any]:
    """The clouds to read, in the order of the file: those that ``active`` names, or all."""
    if active is None:
        return list(clouds)
    names = [active] if isinstance(active, str) else active
    if not isinstance(names, list):
        raise AccountsError(f"{file}: 'active' should be a list of names")
    for name in names:
        if name not in list(clouds):
            raise AccountsError(
                f"{file}: 'active' names {name!r}, but there is no such cloud; there are "
                f"{', '.join(map(str, clouds))}"
            )
    return [name for name in clouds if name in names]


def _of_older(cloud: Mapping[Any, Any], where: str) -> tuple[str, dict[str, Any]]:
    kind = cloud.get("type", cloud.get("cm_type"))
    if kind not in list(_PROVIDERS):
        raise AccountsError(
            f"{where}: 'type' (or 'cm_type') {kind!r} is none of {', '.join(_PROVIDERS)}; "
            "'active' may name the clouds to read"
        )
    given = cloud["credentials"]
    if not isinstance(given, dict):
        raise AccountsError(f"{where}: 'credentials' should be a map")
    provider = _PROVIDERS[kind]
    if provider == "openstack":
        credentials = {str(key): value for key, value in given.items()}
        if isinstance(credentials.get("OS_CACERT"), str):
            credentials["OS_CACERT"] = os.path.expandvars(credentials["OS_CACERT"])
        return provider, credentials
    return provider, {
        _EC2.get(key, str(key)): value
        for key, value in given.items()
        if key not in _NOT_CREDENTIALS
    }


def _of_clouds_yaml(cloud: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """The credentials of an entry of clouds.yaml: what ``auth`` has, and what is beside it."""
    auth = cloud.get("auth")
    if not isinstance(auth, dict):
        raise AccountsError(f"{where}: 'auth' should be a map")
    credentials = {str(key): value for key, value in auth.items()}
    for key, value in cloud.items():
        if key in ("auth", "regions") or _NO_EFFECT.fullmatch(str(key)):
            continue
        if key in _REFUSED:
            raise AccountsError(f"{where}: {key!r}: {_REFUSED[key]}")
        if key == "auth_type":  # which login it is follows from ``auth``
            if value not in list(_AUTH_TYPES):
                raise AccountsError(
                    f"{where}: 'auth_type' is none of {', '.join(sorted(_AUTH_TYPES))}: other logins are "
                    "not supported"
                )
            continue
        credentials[str(key)] = value
    regions = cloud.get("regions")
    if regions is not None and "region_name" not in cloud:
        if not isinstance(regions, list):
            raise AccountsError(f"{where}: 'regions' should be a list of names")
        names = [each.get("name") if isinstance(each, dict) else each for each in regions]
        if len(names) > 1:
            raise AccountsError(
                f"{where}: 'regions' has several: name one as 'region_name', or leave it out to poll all "
                "regions of the project"
            )
        credentials["region_name"] = names[0] if names else None
    return credentials


def _literally(value: Any) -> Any:
    """The value such that ``${`` in it is no reference: these layouts have none."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: _literally(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literally(each) for each in value]
    return value


# --- clouds.yaml, where OpenStack's own clients look for it ------------------------------------------


def of_cloud(name: str) -> dict[str, Any]:
    """The credentials of a cloud of clouds.yaml, and of secure.yaml, found as openstacksdk documents it."""
    file = _found("OS_CLIENT_CONFIG_FILE", "clouds.yaml")
    if file is None:
        raise AccountsError(
            "there is no clouds.yaml: neither $OS_CLIENT_CONFIG_FILE, nor in this folder, ~/.config/openstack or "
            "/etc/openstack"
        )
    cloud = _cloud(file, name)
    secure = _found("OS_CLIENT_SECURE_FILE", "secure.yaml")
    of_secure = _cloud(secure, name) if secure else None
    if cloud is None and of_secure is None:
        raise AccountsError(f"{file}: there is no cloud {name!r}")
    merged = _merged(cloud or {}, of_secure or {})
    return _of_clouds_yaml(merged, f"{file}: cloud {name!r}")


def _found(variable: str, name: str) -> Optional[Path]:
    folders = (Path.cwd(), Path("~/.config/openstack").expanduser(), Path("/etc/openstack"))
    files = [folder / name for folder in folders]
    if os.environ.get(variable):
        files.insert(0, Path(os.environ[variable]))
    return next((file for file in files if os.path.exists(file)), None)


def _cloud(file: Path, name: str) -> Optional[dict[str, Any]]:
    content = content_of(
        file, text_of(file, demo=True)
    )  # its mode is the business of its own tools
    clouds = content.get("clouds") if isinstance(content, dict) else None
    if not isinstance(clouds, dict):
        raise AccountsError(f"{file}: 'clouds' should be a map of name to cloud")
    cloud = clouds.get(name)
    if cloud is not None and not isinstance(cloud, dict):
        raise AccountsError(f"{file}: cloud {name!r} should be a map")
    return cloud


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(first)
    for key, value in second.items():
        both = isinstance(merged.get(key), dict) and isinstance(value, dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


# --- AWS profiles -------------------------------------------------------------------------------------

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
# Settings of a profile that make another login of it than its keys, or other endpoints.
_OTHER_LOGINS = (
    "credential_process",
    "credential_source",
    "ignore_configured_endpoint_urls",
    "login_session",
    "mfa_serial",
    "services",
    "sso_account_id",
    "sso_session",
    "sso_start_url",
    "use_fips_endpoint",
    "web_identity_token_file",
)


def of_aws_profile(name: str) -> dict[str, Any]:
    """The credentials of a profile of AWS's own files, as botocore reads them. No other file or variable has a say."""
    import botocore.exceptions
    import botocore.session

    try:
        session = botocore.session.Session(profile=name)
        profiles = session.full_config["profiles"]
    except (botocore.exceptions.BotoCoreError, UnicodeError):
        raise AccountsError(
            f"profile {name!r}: AWS's config or credentials file can't be parsed"
        ) from None
    profile = _profile(profiles, name)
    credentials = {}
    source = profile
    if "role_arn" in profile:
        if "source_profile" not in profile:
            raise AccountsError(f"profile {name!r} has a role_arn, but no source_profile")
        source_name = profile["source_profile"]
        source = _profile(profiles, source_name)
        if "role_arn" in source and source_name != name:
            raise AccountsError(
                f"profile {name!r}: its source_profile {source_name!r} has a role too; only one is supported"
            )
        credentials = {key: profile[key] for key in ("role_arn", "external_id") if key in profile}
    for key in _KEYS[:2]:
        if key not in source:
            whose = name if source is profile else source_name
            raise AccountsError(f"profile {whose!r} has no {key}")
    credentials.update({key: source[key] for key in _KEYS if key in source})
    for key, credential in (("endpoint_url", "endpoint_url"), ("ca_bundle", "cacert")):
        if key in profile:
            credentials[credential] = profile[key]
    return credentials


def _profile(profiles: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if name not in profiles:
        raise AccountsError(f"there is no profile {name!r} in AWS's config and credentials files")
    profile: Mapping[str, Any] = profiles[name]
    for key in _OTHER_LOGINS:
        if str(profile.get(key, "false")).lower() != "false":
            raise AccountsError(
                f"profile {name!r} has {key}, which is not supported: only keys and a role are; "
                "a secret_command may fetch the credentials"
            )
    return profile
