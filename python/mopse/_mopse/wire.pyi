__all__ = [
    "category",
    "keyword",
]

def category(typed: str) -> str: ...
def keyword(typed: str) -> str | None: ...
