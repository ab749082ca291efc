"""Static files under names that hold their content's hash; each name is looked up once in a process."""

from functools import cache

from whitenoise.storage import CompressedManifestStaticFilesStorage  # type: ignore[import-untyped]


class Hashed(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """A page names some thirty of them, and to work out each of them anew costs a millisecond or two."""

    def __init__(self) -> None:
        super().__init__()
        self.url = cache(super().url)
