"""Whether a document is one of a YANG model, as the simulators' ``MODEL``s write it."""


def strangers(document, model, where=""):
    """What in the document is not as the model says, each with its path."""
    if isinstance(model, dict):
        if not isinstance(document, dict):
            return [where]
        found = [f"{where}/{name}" for name in document if name not in model]
        for name, each in document.items():
            if name in model:
                found += strangers(each, model[name], f"{where}/{name}")
        return found
    if isinstance(model, list):
        if not isinstance(document, list):
            return [where]
        return [each for one in document for each in strangers(one, model[0], f"{where}[]")]
    return [] if _is(document, model) else [f"{where} = {document!r}"]


def _is(value, kind):
    if kind == "uint64":
        return isinstance(value, str) and value.isdecimal()
    if kind == "identity":
        return isinstance(value, str) and ":" in value
    if isinstance(kind, tuple):
        return value in kind
    return type(value) is kind


def names(model):
    """All names of fields in a model."""
    if isinstance(model, list):
        return names(model[0])
    if not isinstance(model, dict):
        return set()
    return set(model).union(*(names(each) for each in model.values()))
