"""`dsflash eval` over shapes."""

from dsflash_ros.cli import main


def evaluate(folder, *arguments, weights="whole"):
    """The exit code, for the images and weights in that folder."""
    chosen = folder / f"{weights}.safetensors"
    return main(["eval", *map(str, (folder, "--weights", chosen, *arguments))])
