"""toyroom: simulated rooms with exact panoptic scene graphs. Needs the extra `world` (MuJoCo)."""
