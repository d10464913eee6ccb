"""What only an object server does: answers that are lost, servers that are dead, and refusals with many faces."""

from __future__ import annotations

import builtins
import os
import pickle
import signal
import socket
import subprocess
import sys
import time

import pytest

from motionunion.errors import MissingExtra, StoreError, UsageError
from motionunion.store import object_storage
from motionunion.store.location import refuse_unsafe_place
from motionunion.store.object_storage import ObjectStorage
from motionunion.store.remote_errors import RemoteError

WHENS = ("before", "after", "within")
OPERATIONS = {
    "get": lambda storage: storage.get("a/1"),
    "get_range": lambda storage: storage.get_range("a/1", 1, 2),
    "put": lambda storage: storage.put("a/9", b"x"),
    "put_if_absent": lambda storage: storage.put_if_absent("a/10", b"x"),
    "list": lambda storage: list(storage.list("a/")),
    "delete": lambda storage: storage.delete("a/1"),
}


@pytest.fixture
def storage(bucket):
    return ObjectStorage(f"{bucket}/store")


class TestConnectionsThatBreak:
    @pytest.mark.parametrize("when", WHENS)
    @pytest.mark.parametrize("times", [1, 2])
    def test_who_created_a_file_is_told_truly(self, storage, object_proxy, tcp_proxy, when, times):
        object_proxy.plan = tcp_proxy.reset_at(1, when, times=times)
        assert storage.put_if_absent("commits/1", b"ours") is True
        assert object_proxy.requests[0].method == "PUT"
        object_proxy.forget()
        object_proxy.plan = tcp_proxy.reset_at(1, when, times=times)
        assert storage.put_if_absent("commits/1", b"theirs") is False
        object_proxy.plan = tcp_proxy.no_fault
        assert storage.get("commits/1") == b"ours"

    @pytest.mark.parametrize("when", WHENS)
    def test_the_look_at_what_is_there_may_break_too(self, storage, object_proxy, tcp_proxy, when):
        storage.put("commits/1", b"theirs")
        object_proxy.forget()
        object_proxy.plan = tcp_proxy.reset_at(2, when)
        assert storage.put_if_absent("commits/1", b"ours") is False
        assert [request.method for request in object_proxy.requests[:2]] == ["PUT", "GET"]

    @pytest.mark.parametrize("when", WHENS)
    def test_every_other_operation_comes_through(self, storage, object_proxy, tcp_proxy, when):
        for name in ("a/1", "a/2", "a/3"):
            storage.put(name, name.encode() * 1000)
        for operation, expected in (
            (lambda: storage.get("a/1"), b"a/1" * 1000),
            (lambda: storage.get_range("a/1", 1, 3), b"/1a"),
            (lambda: storage.get_range("a/1", 4000, 3), b""),
            (lambda: [entry.name for entry in storage.list("a/", after="a/1")], ["a/2", "a/3"]),
            (lambda: storage.delete("a/2"), None),
            (lambda: storage.put("a/1", b"new"), None),
        ):
            object_proxy.forget()
            object_proxy.plan = tcp_proxy.reset_at(1, when)
            assert operation() == expected
            assert len(object_proxy.requests) > 1
        object_proxy.plan = tcp_proxy.no_fault
        assert [entry.name for entry in storage.list("")] == ["a/1", "a/3"]
        assert storage.get("a/1") == b"new"

    @pytest.mark.slow
    @pytest.mark.parametrize("when", WHENS)
    def test_a_file_in_parts_arrives_whole_wherever_the_connection_breaks(
        self, storage, object_proxy, tcp_proxy, monkeypatch, when
    ):
        monkeypatch.setattr(object_storage, "_PART_BYTES", 5 << 20)
        data = bytes(range(256)) * (11 << 12)  # 11 MiB: three parts, a request before them and one behind
        for number in range(1, 6):
            object_proxy.forget()
            object_proxy.plan = tcp_proxy.reset_at(number, when)
            storage.put(f"shards/{number}", data)
            assert len(object_proxy.requests) > 5
            object_proxy.plan = tcp_proxy.no_fault
            assert storage.get(f"shards/{number}") == data

    @pytest.mark.slow
    @pytest.mark.parametrize("when", WHENS)
    def test_a_long_listing_goes_on_where_it_broke(self, storage, object_proxy, tcp_proxy, when):
        names = [f"n/{number:04d}" for number in range(1100)]
        for name in names:
            storage.put(name, b"")
        object_proxy.forget()
        object_proxy.plan = tcp_proxy.reset_at(2, when)
        assert [entry.name for entry in storage.list("n/")] == names
        assert len(object_proxy.requests) == 3


class TestServersThatDoNotAnswer:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_dead_one_is_an_error_that_says_so(self, operation, bucket, monkeypatch):
        monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", "0.2")
        with socket.create_server(("127.0.0.1", 0)) as free:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(RemoteError, match=r"s3://.*cannot be reached.*AWS_ENDPOINT_URL") as caught:
            OPERATIONS[operation](ObjectStorage(f"{bucket}/store"))
        assert caught.value.passing

    @pytest.mark.parametrize("operation", ["get", "put_if_absent"])
    def test_one_that_takes_the_call_and_says_nothing_ends_as_well(self, operation, bucket, monkeypatch):
        monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", "1")
        with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
            with pytest.raises(RemoteError, match="cannot be reached"):
                OPERATIONS[operation](ObjectStorage(f"{bucket}/store"))

    def test_a_long_upload_is_no_silence(self, stub, storage, monkeypatch):
        monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", "0.2")

        def slow(method, path, headers, body):
            time.sleep(1.5)  # as if the body took so long to arrive; a client with the patience for answers has left
            return 200, b""

        stub.answer = slow
        storage.put("shards/1", bytes(100))
        assert len(stub.requests) == 1

    @pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to a single process")
    def test_ctrl_c_is_heard_meanwhile(self, bucket, monkeypatch):
        monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", "600")
        with socket.create_server(("127.0.0.1", 0)) as silent:
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
            waiting = subprocess.Popen([sys.executable, "-c", _READER, bucket], stderr=subprocess.PIPE, text=True)
            silent.accept()  # the request is on its way
            waiting.send_signal(signal.SIGINT)
            try:
                said = waiting.communicate(timeout=60)[1]
            finally:
                waiting.kill()
        assert "KeyboardInterrupt" in said

    @pytest.mark.parametrize("said", ["soon", "0", "-3", "nan", "inf"])
    def test_patience_is_a_number_of_seconds(self, storage, monkeypatch, said):
        monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", said)
        with pytest.raises(UsageError, match="MOTIONUNION_REMOTE_TIMEOUT_S"):
            storage.get("a")


class TestRefusals:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_missing_bucket_is_no_missing_file(self, operation, bucket):
        with pytest.raises(RemoteError, match=r"s3://no-such-bucket/store: .*there is no such bucket; create it"):
            OPERATIONS[operation](ObjectStorage("s3://no-such-bucket/store"))

    def test_no_credentials_are_told_with_the_variables_to_set(self, storage, monkeypatch):
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(variable)
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", "0.2")
        with pytest.raises(RemoteError, match=r"no credentials were found; set AWS_ACCESS_KEY_ID"):
            storage.get("a")

    def test_an_address_without_tls_needs_a_word(self, storage, monkeypatch):
        monkeypatch.delenv("AWS_ALLOW_HTTP")
        with pytest.raises(RemoteError, match="AWS_ALLOW_HTTP=true"):
            storage.get("a")

    def test_an_azure_account_is_asked_for(self, monkeypatch):
        pytest.importorskip("obstore")
        monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
        with pytest.raises(RemoteError, match="set AZURE_STORAGE_ACCOUNT_NAME"):
            ObjectStorage("az://container/store").get("a")

    @pytest.mark.parametrize(
        ("status", "code", "expected", "passing"),
        [
            (403, "AccessDenied", "no permission", False),
            (403, "InvalidAccessKeyId", "does not accept these credentials", False),
            (401, "Unauthorized", "does not accept these credentials", False),
            (301, "PermanentRedirect", "in another region; set AWS_REGION", False),
            (400, "AuthorizationHeaderMalformed", "in another region; set AWS_REGION", False),
            (400, "InvalidRequest", "HTTP 400 InvalidRequest", False),
            (503, "SlowDown", "HTTP 503 SlowDown", True),
            (500, "InternalError", "HTTP 500 InternalError", True),
        ],
    )
    def test_a_servers_word_becomes_a_way_out(self, stub, storage, monkeypatch, status, code, expected, passing):
        monkeypatch.setenv("MOTIONUNION_REMOTE_TIMEOUT_S", "0.2")
        stub.answer = lambda method, path, headers, body: (status, _refusal(code, "the region 'us-east-1' is wrong"))
        for operation, run in OPERATIONS.items():
            with pytest.raises(RemoteError, match=expected) as caught:
                run(storage)
            assert caught.value.passing is passing, operation
            assert "Debug source" not in str(caught.value)
            assert str(caught.value).startswith(storage.url)

    def test_an_error_crosses_a_process_border(self):
        error = pickle.loads(pickle.dumps(RemoteError("s3://a: gone; wait", passing=True)))  # noqa: S301 - its own bytes
        assert (str(error), error.passing) == ("s3://a: gone; wait", True)


class TestCreating:
    def test_a_conflict_that_left_nothing_is_tried_again(self, stub, storage):
        said = iter([(409, _refusal("ConditionalRequestConflict", "")), (404, _refusal("NoSuchKey", "")), (200, b"")])
        stub.answer = lambda *request: next(said)
        assert storage.put_if_absent("commits/1", b"ours") is True
        assert [method for method, *_ in stub.requests] == ["PUT", "GET", "PUT"]

    @pytest.mark.parametrize(("there", "expected"), [(b"ours", True), (b"theirs", False)])
    def test_a_server_error_after_the_deed_is_read_back(self, stub, storage, there, expected):
        said = iter([(500, _refusal("InternalError", "")), (412, _refusal("PreconditionFailed", "")), (200, there)])
        stub.answer = lambda *request: next(said)
        assert storage.put_if_absent("commits/1", b"ours") is expected

    def test_a_server_that_refuses_a_second_creation_is_fit(self, storage):
        refuse_unsafe_place(storage)
        assert list(ObjectStorage(storage.url.rpartition("/")[0]).list("")) == []

    def test_a_server_that_ignores_the_condition_is_refused(self, storage, object_server, tcp_proxy, monkeypatch):
        with tcp_proxy.FaultyProxy(object_server, without_header="If-None-Match") as careless:
            monkeypatch.setenv("AWS_ENDPOINT_URL", careless.endpoint)
            with pytest.raises(StoreError, match=r"ignores the condition If-None-Match.*docs/remote.md"):
                refuse_unsafe_place(storage)

    def test_a_listing_out_of_order_is_refused(self, stub, storage):
        stub.answer = lambda *request: (200, _LISTING)
        with pytest.raises(StoreError, match="does not list by name"):
            list(storage.list("n/"))


def test_a_listing_behind_a_name_asks_for_no_more_than_that(storage, object_proxy):
    storage.put("commits/1", b"")
    storage.put("commits/2", b"")
    object_proxy.forget()
    assert [entry.name for entry in storage.list("commits/", after="commits/1")] == ["commits/2"]
    (request,) = object_proxy.requests
    assert "start-after=store%2Fcommits%2F1" in request.path


def test_a_missing_extra_is_told_with_the_command(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "obstore":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    storage = ObjectStorage("s3://bucket/store")
    for operation in OPERATIONS.values():
        with pytest.raises(MissingExtra, match=r"pip install 'motionunion\[s3\]'"):
            operation(storage)


_READER = """
import signal, sys
from motionunion.store.location import storage_at

signal.signal(signal.SIGINT, signal.default_int_handler)
storage_at(sys.argv[1]).get("a")
"""


def _refusal(code, message):
    return f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


_LISTING = b"""<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Name>b</Name>""" + b"".join(
    b"<Contents><Key>store/n/%s</Key><LastModified>2026-11-22T20:00:00.000Z</LastModified><ETag>1</ETag><Size>1</Size></Contents>" % name
    for name in (b"2", b"1")
) + b"</ListBucketResult>"  # fmt: skip
