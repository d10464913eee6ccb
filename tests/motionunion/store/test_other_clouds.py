"""Google's and Azure's way to say `only if it is not there`, held against a server that knows both."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from motionunion.store.object_storage import ObjectStorage, refuse_careless_server


@pytest.fixture(params=["gs", "az"])
def cloud(request, stub, monkeypatch):
    monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", "5")
    if request.param == "gs":
        key = {"gcs_base_url": stub.endpoint, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}  # fmt: skip
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps(key))
        monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
    else:
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "madeup")
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "bWFkZSB1cA==")
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", stub.endpoint)
        monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
    stub.answer = _Cloud()
    return ObjectStorage(f"{request.param}://place/a store")


def test_files_are_kept_and_made_once(cloud, stub):
    cloud.put("a/one", b"12345")
    assert cloud.get("a/one") == b"12345"
    assert [cloud.get_range("a/one", start, 3) for start in (1, 4, 9)] == [b"234", b"5", b""]
    assert [cloud.put_if_absent("commits/1", body) for body in (b"first", b"second", b"first")] == [
        True,
        False,
        True,
    ]
    assert cloud.get("commits/1") == b"first"
    refuse_careless_server(cloud)
    cloud.delete("a/one")
    cloud.delete("a/one")
    with pytest.raises(FileNotFoundError):
        cloud.get("a/one")
    assert set(stub.answer.held) == {"/place/a store/commits/1"}


class _Cloud:
    """Objects in a dictionary; a creation carries Google's or Azure's condition."""

    def __init__(self):
        self.held = {}

    def _batch(self, body):
        """Azure's way to delete: requests in the parts of one request, answers in the parts of one answer."""
        wanted = [line.split()[1] for line in body.decode().splitlines() if line.startswith("DELETE ")]
        lines = []
        for number, path in enumerate(wanted):
            found = self.held.pop(unquote(path), None) is not None
            lines += ["--answers", "Content-Type: application/http", f"Content-ID: {number}", ""]
            lines += ["HTTP/1.1 202 Accepted" if found else "HTTP/1.1 404 The specified blob does not exist."]
            lines += ["x-ms-request-id: 1", "", ""]
        said = "\r\n".join([*lines, "--answers--", ""]).encode()
        return 202, said, {"Content-Type": "multipart/mixed; boundary=answers"}

    def __call__(self, method, path, headers, body):
        path, _, question = unquote(path).partition("?")
        if "comp=batch" in question:
            return self._batch(body)
        only_new = headers.get("if-none-match") == "*" or headers.get("x-goog-if-generation-match") == "0"
        if method == "PUT":
            if only_new and path in self.held:
                google = "x-goog-if-generation-match" in headers
                return (412, _refusal("PreconditionFailed", "")) if google else (409, _refusal("BlobAlreadyExists", ""))
            self.held[path] = body
            return 201, b""
        if path not in self.held:
            return 404, _refusal("NoSuchKey", "")
        if method == "DELETE":
            del self.held[path]
            return 202, b""
        if "range" in headers:
            first, last = map(int, headers["range"].removeprefix("bytes=").split("-"))
            part = self.held[path][first : last + 1]
            return (206, part) if part else (416, _refusal("InvalidRange", ""))
        return 200, self.held[path]


def _refusal(code, message):
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
