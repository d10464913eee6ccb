"""Tokenizers that others trained and published, turned into ours; `docs/published_weights.md` says which."""

from tokenizer.published.importing import Imported, import_weights

__all__ = ["Imported", "import_weights"]
