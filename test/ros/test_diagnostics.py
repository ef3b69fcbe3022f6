import pytest

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from builtin_interfaces.msg import Time

from dsflash_ros.ros.diagnostics import Statistics


def frames(statistics, state="active", problem=""):
    status = statistics.frames_status("dsflash: frames", "cpu", state, problem)
    return status, {pair.key: pair.value for pair in status.values}


def test_counts_and_latencies():
    statistics = Statistics()
    for _ in range(5):
        statistics.receive()
    statistics.drop()
    statistics.reject("broken")
    statistics.process({"segment": 1.5, "total": 2.25})
    _, values = frames(statistics)
    counts = {
        key.removeprefix("frames "): int(value)
        for key, value in values.items()
        if key.startswith("frames ")
    }
    assert counts == {
        "received": 5,
        "processed": 1,
        "dropped": 1,
        "rejected": 1,
        "failed": 0,
        "stamps_back": 0,
    }
    assert (values["latency segment (ms)"], values["latency total (ms)"]) == ("1.50", "2.25")
    assert values["last problem"] == "broken"
    assert float(values["input rate (Hz)"]) > float(values["rate (Hz)"]) > 0


def test_trouble_counts_once_and_stays_readable():
    statistics = Statistics()
    statistics.reject("step is wrong")
    status, _ = frames(statistics)
    assert (status.level, status.message) == (status.WARN, "frames rejected: step is wrong")
    status, values = frames(statistics)
    assert status.level == status.OK
    assert values["last problem"] == "step is wrong"


def test_what_is_worst_is_told():
    statistics = Statistics()
    statistics.reject("broken")
    statistics.fail(ValueError("bad\nmore"))
    status, _ = frames(statistics, problem="no frame")
    assert (status.level, status.message) == (status.ERROR, "frames failed: ValueError: bad")
    status, _ = frames(statistics, problem="no frame")
    assert (status.level, status.message) == (status.WARN, "no frame")
    statistics.fail(ValueError())
    assert frames(statistics)[0].message == "frames failed: ValueError: "


def test_state_is_told_when_not_active():
    assert frames(Statistics(), state="paused")[0].message == "paused"


def test_stamps_that_go_back():
    statistics = Statistics()
    stamps = [(5, 0), (5, 1), (5, 1), (4, 999_999_999), (5, 0)]
    assert [statistics.goes_back(Time(sec=s, nanosec=n)) for s, n in stamps] == [
        False,
        False,
        False,
        True,
        False,
    ]
    status, values = frames(statistics)
    assert status.level == status.WARN and "back in time" in status.message
    assert values["frames stamps_back"] == "1"
