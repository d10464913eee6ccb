"""What an object store's refusal means, and what a person can do about it.

obstore tells of every failure in one long text: the request, the HTTP status, the server's XML, the client's internals.
Here it becomes one sentence with a way out, and one bit that the storage needs: whether trying again may help.
"""

from __future__ import annotations

import re

from motionunion.errors import MotionUnionError

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,200})")
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "InvalidBucketName"}
_BAD_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AuthenticationFailed",
}
_OTHER_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_PASSING_CODES = {"NoSuchUpload", "SlowDown", "RequestTimeout", "OperationAborted", "ConditionalRequestConflict"}
_SET_CREDENTIALS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
    '(`eval "$(aws configure export-credentials --format env)"` takes them from your profile)',
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account, "
    "or run `gcloud auth application-default login`",
    "az": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_SET_ENDPOINT = {
    "s3": "AWS_ENDPOINT_URL and AWS_REGION",
    "gs": "the network and the service account",
    "az": "AZURE_STORAGE_ACCOUNT_NAME",
}


class RemoteError(MotionUnionError):
    """An object store could not be reached, or refused. Says nothing about whether what it keeps is damaged.

    Hence neither a `StoreError` nor an `OSError`: who takes those for a damaged file must not take this for one.

    Attributes:
        passing: True where the same request may succeed a moment later.
    """

    def __init__(self, message: str, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing

    def __reduce__(self) -> tuple[object, ...]:
        return (RemoteError, (str(self), self.passing))


def is_missing_bucket(error: Exception) -> bool:
    """True where not the file is missing but all that it could lie in."""
    text = str(error)
    return bool(_NO_BUCKET & set(_CODE.findall(text))) or "bucket does not exist" in text


def is_beyond_end(error: Exception) -> bool:
    """True where a range was asked for that begins behind the last byte."""
    return _status(str(error)) == 416


def explain(error: Exception, url: str, doing: str) -> RemoteError:
    """What to tell a person.

    Args:
        error: What obstore raised.
        url: The store's URL.
        doing: What was tried, e.g. `reading commits/_latest`.
    """
    passing, problem, cure = _meaning(error, url)
    return RemoteError(f"{url}: {doing}: {problem}; {cure}", passing)


def _meaning(error: Exception, url: str) -> tuple[bool, str, str]:
    scheme = url.partition(":")[0]
    # A second part, "Debug source", repeats the first in the client's own notation, and may hold headers.
    text = str(error).partition("\n\nDebug source")[0]
    status, kind = _status(text), type(error).__name__
    codes = set(_CODE.findall(text))
    said = next(iter(_MESSAGE.findall(text)), "")
    if is_missing_bucket(error):
        return False, "there is no such bucket", "create it first, or correct the name"
    if _asked_for_credentials(text) or kind == "MissingCredentials":
        return False, "no credentials were found", _SET_CREDENTIALS[scheme]
    if "Account must be specified" in text:
        return False, "the storage account is not known", _SET_CREDENTIALS[scheme]
    if codes & _BAD_CREDENTIALS or status == 401 or kind == "UnauthenticatedError":
        return False, f"the server does not accept these credentials ({said or text[:200]})", _SET_CREDENTIALS[scheme]
    if status == 403 or kind == "PermissionDeniedError":
        return (
            False,
            f"no permission ({said or 'HTTP 403'})",
            "the credentials must be allowed to get, put, list and delete here (docs/remote.md)",
        )
    if codes & _OTHER_REGION or status in (301, 307) or "without LOCATION" in text:
        return False, "the bucket lies in another region", "set AWS_REGION to the bucket's region"
    if "builder error" in text:
        return (
            False,
            "the address of the server cannot be used",
            f"check {_SET_ENDPOINT[scheme]}; one that begins with http:// also needs AWS_ALLOW_HTTP=true",
        )
    if status is not None:
        passing = status >= 500 or status == 429 or bool(codes & _PASSING_CODES)
        name = " ".join(sorted(codes))
        return (
            passing,
            f"the server answers HTTP {status} {name} ({said or _last_words(text)})",
            "run the same command again; if it stays, ask whoever runs the server",
        )
    if "HTTP error" in text or "error decoding response body" in text:
        return (
            True,
            f"the server cannot be reached ({_last_words(text)})",
            f"check the network and {_SET_ENDPOINT[scheme]}, and run the same command again. What was committed is safe",
        )
    return False, _last_words(text) or kind, "see docs/remote.md"


def _status(text: str) -> int | None:
    found = _STATUS.search(text)
    return int(found.group(1)) if found else None


def _asked_for_credentials(text: str) -> bool:
    """True where the client, with no credentials given, turned to those that a cloud hands to its own machines."""
    return any(
        sign in text for sign in ("169.254.169.254", "/latest/api/token", "metadata.google.internal", "token request")
    )


def _last_words(text: str) -> str:
    return " ".join(text.rpartition(" - ")[2].split())[:300]
