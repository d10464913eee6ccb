"""A corpus in the forms that other projects train on; `docs/corpus.md` says what is in each.

formats     what a format is, and which there are
run         one export: a folder, its files, its manifest
stream      all codes of a split one after the other, for `flat_file` and `litdata_chunks`
"""

from tokenizer.export.formats import FORMATS
from tokenizer.export.run import Exported, export_corpus

__all__ = ["FORMATS", "Exported", "export_corpus"]
