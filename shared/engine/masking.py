"""Masks an account's secrets, in every form in which a text may contain them, and whatever looks like a secret.

Mask first, shorten and join later: a secret that was cut, or whose blanks were collapsed, is no longer
recognized. So providers raise errors with whole texts, and ``Masker.excerpt`` is the only place that shortens
a text: the engine calls it before it does anything else with an error.
"""

import base64
import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Callable

MASK = "***"
LONGEST = 1000  # characters of an error's message: a URL and a few sentences
FAR = 20_000  # characters of a text that are searched for secrets: it may be a page of megabytes

# Secrets that need not be in the event: a provider may send them, or a URL or header may contain them.
# A pattern's group is kept.
_SHAPES = (
    re.compile(r"\bgAAAA[\w\-=]{20,}"),  # Fernet tokens (Keystone)
    re.compile(r"\beyJ[\w\-]+\.[\w\-]+\.[\w\-]*"),  # JWTs
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS access keys
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password in a URL
    re.compile(r"(?i)(?<=signature=)[0-9a-f]{16,}"),
    re.compile(  # a parameter in a URL
        r"(?i)([?&;][\w.%-]*(?:token|signature|passw|secret|credential|api_?key|access_?key)[\w.-]*=)"
        r"[^&;\s\"'#<>]+"
    ),
    re.compile(  # a header, as HTTP or as a dict writes it
        r"(?i)(\b(?:(?:proxy-)?authorization|x-(?:auth|subject|service|storage)-token"
        r"|x-amz-security-token|x-api-key)\b['\"]?\s*[:=]\s*(?:b(?=['\"]))?['\"]?"
        r"(?:(?:basic|bearer|token|digest|negotiate)\s+)?)[^\s'\",]+"
    ),
    re.compile(r"(?i)(\b(?:set-)?cookie\b['\"]?\s*[:=]\s*(?:b(?=['\"]))?['\"]?)[^\r\n'\"]+"),
)
_QUERY = re.compile(
    r"\b((?:https?|wss?)://[^\s?#\"'<>]{0,2000})[?#][^\s\"'<>)\]]*?(?=[:,.;]{0,3}(?:[\s\"'<>)\]]|$))"
)

# A credential with such a name is a secret; user names, URLs and region names may be shown.
_SECRET = re.compile(r"(?i)pass|secret|token|key|external_id")
_SHORTEST = 3  # a shorter "secret" would mask half of every word
_SHORTEST_LINE = 16  # of a secret with several lines, such as a key in PEM
_SHORTEST_CODED = 8  # of base64 or hex: shorter ones occur in every id
_LONGEST_USER = 256


def secrets_in(credentials: Any) -> "list[str]":
    """The values of a (nested) credentials dict that must not be shown, longest first.

    Each also in base64 and in hex, and joined with every other text as HTTP's Basic authentication does it.
    ``Masker`` knows how else a text may contain them.
    """
    forms: set[str] = set()
    texts = list(_texts(credentials, secret=False))
    users = {text for text, _ in texts if len(text) <= _LONGEST_USER}
    for value in {text for text, secret in texts if secret}:
        for text in (value, value.strip()):
            if len(text.strip()) < _SHORTEST:
                continue
            forms.update((text.strip(), *_coded(text)))
            for user in users:
                forms.update(
                    _base64(f"{user}:{text}".encode(encoding))
                    for encoding in _encodings(user + text)
                )
        lines = [line.strip() for line in value.splitlines()]
        if len(lines) > 1:
            forms.update(line for line in lines if len(line) >= _SHORTEST_LINE)
    return sorted(forms, key=lambda text: (-len(text), text))


def _texts(value: Any, secret: bool) -> Iterator[tuple[str, bool]]:
    """All texts, and whether each is a secret."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, secret or bool(_SECRET.search(str(name))))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, secret)
    elif isinstance(value, str):
        yield value, secret


def _encodings(text: str) -> Iterator[str]:
    for name in ("utf-8", "latin-1"):  # requests sends the second if it can
        try:
            text.encode(name)
        except UnicodeEncodeError:
            continue
        yield name


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii").rstrip("=")


def _coded(text: str) -> Iterator[str]:
    """The text as base64, at any offset in the encoded content, and as hex."""
    for encoding in _encodings(text):
        content = text.encode(encoding)
        yield _base64(content)
        coded = [content.hex()]
        for before in range(3):  # bytes before it: base64 makes four characters of three
            whole = _base64(bytes(before) + content)
            own = whole[-(-8 * before // 6) : 8 * (before + len(content)) // 6]
            coded += [own, own.replace("+", "-").replace("/", "_")]
        yield from (form for form in coded if len(form) >= _SHORTEST_CODED)


class Masker:
    """Replaces known secrets, and what looks like a secret, by ``***``.

    A known secret is found in upper and lower case, and with any of its characters escaped as in a URL, HTML,
    JSON or Python, once or several times over. A blank in it matches any blanks and line breaks.
    """

    def __init__(self, secrets: Iterable[str] = (), mask: str = MASK):
        self._mask = mask
        self._secrets = [(_plain_part(secret), secret) for secret in secrets]

    def __call__(self, text: str) -> str:
        text = self.known(text)
        for shape in _SHAPES:
            text = shape.sub(rf"\1{MASK}" if shape.groups else MASK, text)
        return text

    def known(self, text: str) -> str:
        """The text without the known secrets."""
        lower = text.lower()
        for part, secret in self._secrets:
            if part in lower:
                text = _pattern(secret).sub(lambda _: self._mask, text)
                lower = text.lower()
        return text

    def excerpt(self, text: Any, longest: int = LONGEST) -> str:
        """The text as an error shows it: masked, then on one line, short, and without the queries of URLs."""
        whole = str(text)
        shown = self(whole[:FAR])
        if len(whole) > FAR:  # the cut may have left half a secret
            shown = shown[: max(0, len(shown) - FAR // 2)]
        line = visible(_QUERY.sub(r"\1", " ".join(shown.split())))
        if len(line) <= longest and len(whole) <= FAR:
            return line
        return f"{line[:longest]} ..."


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def visible(text: str, escaped: Callable[[str], str] = _escaped) -> str:
    """The text with control and invisible characters as escapes (``\\x1b``): a terminal would act on them."""

    def shown(match: "re.Match[str]") -> str:
        return escaped(match[0]) if unicodedata.category(match[0]) in _HIDDEN else match[0]

    return _UNUSUAL.sub(shown, text)


_UNUSUAL = re.compile("[^ -~]")
# control, format (bidi and zero width), surrogates, line and paragraph separators
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


# --- the forms of a secret ------------------------------------------------------------------------


def _plain_part(secret: str) -> str:
    """The longest part that is the same in every form of the secret, in lower case."""
    parts = re.split("%[0-9a-f]{2}|[^a-z0-9]", secret.lower())
    return max(parts, key=len)


@functools.lru_cache(maxsize=256)
def _pattern(secret: str) -> "re.Pattern[str]":
    return re.compile(_PARTS.sub(_part, secret), re.IGNORECASE)


_PARTS = re.compile(r"\s+|\\+|[^\x00-\x7f]+|%[0-9A-Fa-f]{2}|.", re.DOTALL)
_MOST = 40  # backslashes before a character: JSON five times over

# Each character plain, or encoded any number of times.
_PERCENT = "%(?:25)*"
_SEMICOLON = f"(?:;|{_PERCENT}3b)"
_AMP = f"(?:&|{_PERCENT}26)(?:amp{_SEMICOLON})*(?:#|{_PERCENT}23)?"
_BACKSLASH = rf"(?:\\|{_PERCENT}5c|{_AMP}(?:0*92|x0*5c|bsol){_SEMICOLON})"
_ESCAPES = f"{_BACKSLASH}{{0,{_MOST}}}"
_BLANKS = (
    rf"(?:\s|\+|{_BACKSLASH}{{1,{_MOST}}}(?:[nrtfv]|(?:u00|x)(?:09|0a|0d|20|a0))"
    f"|{_PERCENT}(?:09|0a|0d|20|a0)|{_AMP}(?:nbsp|tab|newline|0*(?:9|10|13|32|160)|x0*(?:9|a|d|20|a0)){_SEMICOLON})+"
)


def _part(match: "re.Match[str]") -> str:
    part = match[0]
    if part.isspace():
        return _BLANKS
    if part[0] == "\\":
        return f"{_BACKSLASH}{{1,{_MOST * len(part)}}}"
    written = "".join(map(_written, part))
    if not part.isascii():  # it may be replaced in an encoding that lacks it
        return rf"(?:{written}|[?\ufffd]{{{len(part)},{4 * len(part)}}})"
    if len(part) > 1:  # a URL's path is decoded where it can be
        return f"(?:{written}|{re.escape(chr(int(part[1:], 16)))})"
    return written


def _written(character: str, misread: int = 2) -> str:
    """A pattern for all forms of a character that is neither a blank nor a backslash."""
    if character.isascii() and character.isalnum():
        return character
    number = ord(character)
    encodings = [character.encode("utf-8", "surrogatepass")]
    ways = {"%": [_PERCENT], "&": [_AMP], "+": [r"\+", " "]}.get(character, [re.escape(character)])
    if number < 256 and not character.isascii():
        encodings.append(character.encode("latin-1"))
    for encoded in encodings:
        ways.append("".join(f"{_PERCENT}{each:02x}" for each in encoded))
        ways.append(_ESCAPES.join(f"x{each:02x}" for each in encoded))
    units = character.encode("utf-16-be", "surrogatepass").hex()
    ways.append(_ESCAPES.join(f"u{units[at : at + 4]}" for at in range(0, len(units), 4)))
    names = "".join(f"|{name}" for name in _names(character))
    ways += [f"u{number:08x}", f"{_AMP}(?:0*{number}|x0*{number:x}{names}){_SEMICOLON}"]
    if misread and not character.isascii():  # UTF-8 taken for Latin-1, once or twice
        ways.append("".join(_written(each, misread - 1) for each in encodings[0].decode("latin-1")))
    return f"{_ESCAPES}(?:{'|'.join(ways)})"


def _names(character: str) -> "list[str]":
    """HTML's names of a character."""
    from html.entities import html5  # 2,000 names, needed only for a text that has part of a secret

    return [
        entity[:-1]
        for entity, value in html5.items()
        if value == character and entity.endswith(";")
    ]
