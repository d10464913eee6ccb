"""A synthetic data set in real file formats: for a first try without downloads, and for tests. See docs/sample.md."""

from motionunion.sample.writing import SampleFolder, SampleResult, write_sample

__all__ = ["SampleFolder", "SampleResult", "write_sample"]
