"""Names of bags and of their results."""

from dsflash_ros.sources.bag_names import named_bags, numbered


def test_a_number_is_never_the_name_of_another():
    assert numbered(["drive", "drive", "drive"]) == ["drive", "drive_2", "drive_3"]
    assert numbered(["drive_2", "drive", "drive"]) == ["drive_2", "drive", "drive_3"]
    assert numbered(["drive", "drive", "drive_2"]) == ["drive", "drive_2", "drive_2_2"]


def test_a_bag_that_is_given_by_two_paths_comes_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder / "drive").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    given = [tmp_path / name for name in ("b/drive", "a/drive", "link/drive", "b/../a/drive")]
    assert named_bags(given) == [("drive", given[0]), ("drive_2", given[1])]
