import pytest

from dsflash_ros.evaluation.live_replay import LiveRecord, score_live

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND + 7
"""Of the bag. A float holds such a time to 240 ns only."""


def bag_ns(seconds):
    return START + round(seconds * SECOND)


def clock(speed=1.0, wall_s=10.0, hz=40, begins=0.0):
    """Messages on /clock from the wall's 100 s on."""
    return [(100 + i / hz, bag_ns(begins + speed * i / hz)) for i in range(round(wall_s * hz) + 1)]


def ages(record):
    scores = score_live(record)
    return scores.bag_age, scores.wall_age


@pytest.mark.parametrize("speed", [0.25, 1.0, 3.0])
def test_ages_and_rates_at_any_speed(speed):
    walls = [101.0, 102.0, 103.0, 104.0]
    images = [(wall, bag_ns(speed * (wall - 100))) for wall in walls]
    graphs = [(wall + 0.31, stamp) for wall, stamp in images[:3]]
    scores = score_live(LiveRecord(clock(speed), images, graphs))
    assert (scores.images, scores.graphs, scores.dropped, scores.dropped_share) == (4, 3, 1, 0.25)
    assert (scores.out_of_order, scores.repeated, scores.unknown) == (0, 0, 0)
    assert scores.wall_seconds == pytest.approx(9) and scores.bag_seconds == pytest.approx(
        9 * speed
    )
    assert scores.graphs_per_second == pytest.approx(1 / 3)
    assert scores.graphs_per_bag_second == pytest.approx(1 / 3 / speed)
    assert scores.wall_age.median_ms == pytest.approx(310)
    # the clock ticks every 25 ms, but its time is known between the ticks, too
    assert scores.bag_age.median_ms == pytest.approx(310 * speed, abs=0.01)


def test_median_and_percentile():
    stamps = [(101 + i / 10, bag_ns(1 + i / 10)) for i in range(21)]
    graphs = [(wall + i / 100, stamp) for i, (wall, stamp) in enumerate(stamps)]
    bag_age, wall_age = ages(LiveRecord(clock(), stamps, graphs))
    for age in (bag_age, wall_age):
        assert (age.median_ms, age.p95_ms, age.max_ms) == pytest.approx((100, 190, 200), abs=0.01)


def test_time_on_the_way_to_the_camera_belongs_to_the_age_in_the_bag():
    image = (101.0, bag_ns(0.8))  # recorded 0.2 s after it was taken
    bag_age, wall_age = ages(LiveRecord(clock(), [image], [(101.3, image[1])]))
    assert bag_age.max_ms == pytest.approx(500, abs=0.01)
    assert wall_age.max_ms == pytest.approx(300)


def test_a_paused_clock_does_not_age_graphs():
    going = clock(wall_s=2.0)
    paused = [(102 + i / 40, going[-1][1]) for i in range(1, 401)]
    on = [(112 + i / 40, bag_ns(2 + i / 40)) for i in range(1, 41)]
    image = (101.95, bag_ns(1.95))
    record = LiveRecord(going + paused + on, [image], [(111.0, image[1])])
    bag_age, wall_age = ages(record)
    assert bag_age.max_ms == pytest.approx(50, abs=0.01)
    assert wall_age.max_ms == pytest.approx(9050)
    assert score_live(record).bag_seconds == pytest.approx(1.05)


def test_a_bag_that_loops():
    first = clock(wall_s=2.0)
    again = [(wall + 2.0, stamp) for wall, stamp in clock(wall_s=2.0)][1:]
    images = [(100.5, bag_ns(0.5)), (101.9, bag_ns(1.9)), (102.5, bag_ns(0.5))]
    graphs = [(100.6, bag_ns(0.5)), (102.2, bag_ns(1.9)), (102.6, bag_ns(0.5))]
    scores = score_live(LiveRecord(first + again, images, graphs))
    assert (scores.dropped, scores.out_of_order, scores.repeated) == (0, 0, 0)
    assert scores.bag_seconds == pytest.approx(3.5, abs=0.06)
    assert scores.bag_age.max_ms == pytest.approx(300, abs=30)  # the jump hides a tick
    assert scores.bag_age.median_ms == pytest.approx(100, abs=0.01)


def test_an_image_that_overtakes_the_message_of_the_jump():
    first = clock(wall_s=2.0)
    again = [(wall + 2.02, stamp) for wall, stamp in clock(wall_s=2.0)]
    images = [(100.5, bag_ns(0.5)), (102.01, bag_ns(0.0))]
    graphs = [(100.6, bag_ns(0.5)), (102.12, bag_ns(0.0))]
    bag_age, _ = ages(LiveRecord(first + again, images, graphs))
    assert bag_age.max_ms == pytest.approx(100, abs=0.01)


def test_a_second_bag_of_much_later():
    later = [(wall + 2.025, stamp + 5000 * SECOND) for wall, stamp in clock(wall_s=2.0)]
    image = (101.9, bag_ns(1.9))
    record = LiveRecord(clock(wall_s=2.0) + later, [image], [(102.2, image[1])])
    assert ages(record)[0].max_ms == pytest.approx(300, abs=30)
    assert score_live(record).bag_seconds == pytest.approx(2.1, abs=0.03)


def test_graphs_out_of_order_twice_and_of_nothing():
    images = [(101 + i, bag_ns(1 + i)) for i in range(4)]
    stamps = [images[i][1] for i in (0, 2, 1, 1)] + [bag_ns(77)]
    graphs = [(104.5 + i / 10, stamp) for i, stamp in enumerate(stamps)]
    scores = score_live(LiveRecord(clock(), images, graphs))
    assert (scores.out_of_order, scores.repeated, scores.unknown) == (1, 1, 1)
    assert (scores.graphs, scores.dropped) == (5, 1)


def test_after_its_end_the_clock_goes_on_as_before():
    image = (109.9, bag_ns(19.8))
    bag_age, wall_age = ages(LiveRecord(clock(2.0), [image], [(110.4, image[1])]))
    assert bag_age.max_ms == pytest.approx(1000, abs=0.01)
    assert wall_age.max_ms == pytest.approx(500)


def test_a_clock_of_one_message():
    image = (100.0, bag_ns(0))
    scores = score_live(LiveRecord([(100.0, bag_ns(0))], [image], []))
    assert (scores.dropped_share, scores.graphs_per_second, scores.bag_age) == (1.0, None, None)
