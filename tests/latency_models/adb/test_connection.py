from __future__ import annotations

import os
import subprocess
import sys

import pytest

from latency_models.sources.adb.connection import Connection
from latency_models.sources.adb.errors import DeviceError, DeviceLost
from latency_models.sources.adb.server import attached, client, server_runs
from search_spaces import InputError

from .double import DeviceDouble
from .fixtures import Plugged


@pytest.fixture(params=["shell_v2,cmd", "cmd"], ids=["with exit codes", "without"])
def double(request: pytest.FixtureRequest, plugged: Plugged) -> DeviceDouble:
    return plugged(request.param)


@pytest.fixture
def connection(double: DeviceDouble) -> Connection:
    connection = Connection(double.serial, reconnect_seconds=20.0)
    connection.wait()
    return connection


@pytest.mark.parametrize(
    ("command", "text", "code"),
    [
        ("echo one; echo two >&2", "one\ntwo\n", 0),
        ("printf 'no end of line'", "no end of line", 0),
        ("echo before; exit 7", "before\n", 7),
        ("false", "", 1),
        ("/data/nothing", None, 127),
        ("seq 100000", "\n".join(map(str, range(1, 100001))) + "\n", 0),
    ],
)
def test_a_command_s_output_and_exit_code(
    connection: Connection, command: str, text: str | None, code: int
) -> None:
    output = connection.run(command, 30.0)
    assert output.code == code
    assert text is None or output.text.rstrip("\n") == text.rstrip("\n")


def test_a_file_is_there_and_then_gone(double: DeviceDouble, connection: Connection) -> None:
    data = bytes(range(256)) * 3000
    with connection.temporary_file(data, "/data/local/tmp", ".tflite") as path:
        assert path.endswith(".tflite")
        assert double.place(path).read_bytes() == data
        with connection.temporary_file(b"other", "/data/local/tmp", ".tflite") as other:
            assert other != path
    assert double.models() == []


def test_a_file_is_gone_after_a_failure_too(double: DeviceDouble, connection: Connection) -> None:
    with (
        pytest.raises(DeviceError, match="mine"),
        connection.temporary_file(b"data", "/data/local/tmp", ".tflite"),
    ):
        raise DeviceError("mine")
    assert double.models() == []


def test_a_full_disk_is_told(double: DeviceDouble, connection: Connection) -> None:
    double.write("/data/full", "a file, no folder")
    with (
        pytest.raises(DeviceError, match=r"/data/full/.* cannot be written .*another folder"),
        connection.temporary_file(b"data", "/data/full", ".tflite"),
    ):
        pass


def test_a_time_out_keeps_what_was_printed(connection: Connection) -> None:
    with pytest.raises(DeviceError, match=r"no end within 4 s.*half way") as caught:
        connection.run("echo half way; sleep 60", 4.0)
    assert not isinstance(caught.value, DeviceLost)
    assert caught.value.text == "half way\n"
    assert connection.run("echo on", 30.0).text.strip() == "on"


def test_a_device_that_vanishes_over_a_command(
    double: DeviceDouble, connection: Connection
) -> None:
    thread = double.unplug_after("half way")
    with pytest.raises(DeviceLost, match=f"{double.serial} vanished.*half way") as caught:
        connection.run("echo half way; sleep 60", 60.0)
    thread.join()
    assert caught.value.text == "half way\n"
    double.plug()
    connection.wait()
    assert connection.run("echo back", 30.0).text.strip() == "back"


def test_a_device_that_stays_away(double: DeviceDouble) -> None:
    connection = Connection(double.serial, reconnect_seconds=1.0)
    connection.wait()
    double.unplug()
    with pytest.raises(DeviceLost, match=rf"{double.serial} is .*, for 1 s; plug it in"):
        connection.wait()


def test_a_device_that_never_was(private_adb: None) -> None:
    with pytest.raises(DeviceLost, match=r"nobody is not attached"):
        Connection("nobody", reconnect_seconds=0.1).wait()


def test_the_only_device_needs_no_name(plugged: Plugged) -> None:
    with pytest.raises(DeviceLost, match="gives no serial; adb has none"):
        Connection(None, 10.0).wait()
    first, second = plugged(), plugged()
    Connection(first.serial, 10.0).wait()
    assert Connection(None, 10.0).serial == first.serial
    Connection(second.serial, 10.0).wait()
    with pytest.raises(DeviceLost, match=rf"adb has .*{second.serial}"):
        Connection(None, 10.0).wait()


def test_looking_for_a_server_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    assert not server_runs()


@pytest.mark.parametrize("port", ["text", "-1", "0", "65536", "5037 ", "\u0663", "1e3"])
def test_a_port_that_is_none(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", port)
    for ask in (server_runs, attached):
        with pytest.raises(InputError, match="ANDROID_ADB_SERVER_PORT is"):
            ask()


@pytest.mark.parametrize(("port", "said"), [("text", "ANDROID_ADB_SERVER_PORT is"), ("", "5037")])
def test_the_library_never_sees_such_a_port(port: str, said: str) -> None:
    # A process of its own: the library reads it as it is imported.
    code = (
        "from latency_models.sources.adb.server import adb_errors, client\n"
        "try:\n  adb_errors(); print(client().port)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    environment = {**os.environ, "ANDROID_ADB_SERVER_PORT": port}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert said in answer.stdout
    assert "ValueError" not in answer.stdout


def test_an_address_that_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "")
    monkeypatch.setenv("ANDROID_ADB_SERVER_HOST", "")
    assert (client().host, client().port) == ("127.0.0.1", 5037)


def test_no_server_at_a_host_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANDROID_ADB_SERVER_HOST", "." * 80)
    assert not server_runs()
