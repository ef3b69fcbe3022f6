"""Replays of many bags on a Ray cluster. See `fleet_replay.replay_fleet`."""
