"""Scene graphs of recorded drives: a bag in, a bag with graphs out. See `replay.replay_bag`."""
