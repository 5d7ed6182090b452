"""The network that a peer is to convert: the same module with the same weights as edgezoo's own."""

import argparse

from edgezoo.models.resolve import load_model
from edgezoo.types import LoadedModel


def loaded() -> tuple[str, LoadedModel]:
    """Read OUT MODEL [--weights W] [--input SHAPE] from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("model")
    parser.add_argument("--weights")
    parser.add_argument("--input", type=lambda text: tuple(map(int, text.split("x"))))
    given = parser.parse_args()
    return given.out, load_model(given.model, weights=given.weights, input=given.input)
