"""Scene graphs of recorded drives: a bag in, a bag with graphs out. See `bag_replay.replay_bag`."""
