"""Libraries' sources without comments and docstrings, which are a third of a zip's sources.

The same code on the same lines: byte code and tracebacks stay as they are. The byte code of the zips has no docstrings
either; their sources serve Pythons for which there is none. Whatever mentions a copyright or a licence stays.
"""

import ast
import io
import re
import tokenize

from flexlocal.bytecode import DOCUMENTED

NOTICE = "# changed by flexlocal build: without comments and docstrings\n"  # Apache 2.0, 4b
_TERMS = re.compile("copyright|licen[cs]e", re.IGNORECASE)


def bare(source: bytes) -> bytes:
    """The source without them; as it is if that would change more."""
    try:
        text = source.decode()
        shorter = _shorter(text)
        same = _code(shorter) == _code(text)
    except (SyntaxError, UnicodeDecodeError, tokenize.TokenError):
        return source
    return shorter.encode() if same else source


def _shorter(text: str) -> str:
    lines = text.split("\n")
    code = next((n for n, line in enumerate(lines) if line.strip()[:1] not in ("", "#")), 0)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT and row > code and not _TERMS.search(token.string):
            lines[row - 1] = lines[row - 1][:column].rstrip()  # below the comments at the top
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            first, last = docstring.lineno - 1, docstring.end_lineno or docstring.lineno
            whole = "\n".join(lines[first:last])
            alone = re.fullmatch(r"\s*[rRuU]?(\"|').*(\"|')\s*", whole, re.DOTALL)
            if alone and not _TERMS.search(whole):
                indent = lines[first][: docstring.col_offset]
                lines[first:last] = [""] * (last - first)
                if len(node.body) == 1:
                    lines[first] = f"{indent}pass"
    return "\n".join(lines).rstrip("\n") + "\n" + NOTICE


def _code(text: str) -> list[object]:
    """What a source does, and on which lines."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            docstring = node.body.pop(0)
            if not node.body:
                node.body.append(ast.copy_location(ast.Pass(), docstring))
    return [ast.dump(tree), [getattr(node, "lineno", None) for node in ast.walk(tree)]]
