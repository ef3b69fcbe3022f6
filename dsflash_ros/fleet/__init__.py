"""Replays and evaluations of many bags on a Ray cluster.

See `fleet_replay.replay_fleet` and `fleet_evaluation.evaluate_fleet`.
"""
