"""Segmentation of any pictures: `Segmenter.load("weights.pt")("photo.jpg").mask`."""

from wsss_core.predict.segmenter import Prediction, Segmenter

__all__ = ["Prediction", "Segmenter"]
