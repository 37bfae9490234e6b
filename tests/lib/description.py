"""The service's own description, openapi.json, and answers held against it (python3-jsonschema)."""

import collections
import json
import threading

try:
    import jsonschema
except ImportError:  # who asks says that it was skipped
    jsonschema = None

MISSING = "python3-jsonschema is not installed"


def strict(schema):
    """The schema with every object closed: a client must take members that it does not know, a test must not."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def segments(target):
    """"/Service/Operation" of a request's target, as the service reads it where it is spelled as in the description."""
    path = target.partition("?")[0]
    return "/" + "/".join([s for s in path.split("/") if s][-2:])


class Description:
    """The document, and what was seen of the service while it was asked to `see` answers."""

    def __init__(self, document):
        if jsonschema is None:
            raise RuntimeError(MISSING)
        self.document = document
        self.troubles = []
        self.seen = collections.Counter()  # (path, method, status)
        self._validators = {}
        self._lock = threading.Lock()

    def calls(self):
        """(path, method, what is described of the call), of all that the document has."""
        for path, item in self.document["paths"].items():
            for method, call in item.items():
                yield path, method, call

    def problems(self, schema, value):
        """What is wrong with the value, closed objects supposed; schema: a part of the document."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = strict({**schema, "components": {"schemas": self.document["components"]["schemas"]}})
            self._validators[key] = jsonschema.Draft202012Validator(whole)
        return [f"{error.json_path}: {error.message[:300]}" for error in self._validators[key].iter_errors(value)]

    def see(self, method, target, response):
        """Holds an answer against the document; what it does not describe (another address or method) is left alone."""
        path = segments(target)
        call = self.document["paths"].get(path, {}).get(method.lower())
        if call is None or response.status == 0:
            return
        with self._lock:
            self.seen[path, method.lower(), response.status] += 1
            described = call["responses"].get(str(response.status))
            if described is None:
                self.troubles.append(f"{method} {target}: {response.status} is not described")
                return
            for name in described.get("headers", {}):
                if response.header(name) is None:
                    self.troubles.append(f"{method} {target}: {response.status} has no header {name}")
            value, media = response.body.decode("utf-8"), response.header("Content-Type")
            if media not in described["content"]:
                self.troubles.append(f"{method} {target}: {response.status} of {media} is not described")
                return
            if media == "application/json":
                value = json.loads(value)
            schema = described["content"][media]["schema"]
            self.troubles += [f"{method} {target}: {p}" for p in self.problems(schema, value)]

    def unseen(self):
        """The operations of which no good answer was seen."""
        good = {path for path, _, status in self.seen if status == 200}
        return sorted(set(self.document["paths"]) - good)
