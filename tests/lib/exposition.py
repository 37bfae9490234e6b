"""What Chats.Metrics answers, read as Prometheus reads it: by its own client library (python3-prometheus-client)."""

try:
    from prometheus_client import parser
except ImportError:  # who asks says that it was skipped
    parser = None

MISSING = "python3-prometheus-client is not installed"


class Figures:
    """The samples of one answer, by name and labels."""

    def __init__(self, text):
        if parser is None:
            raise RuntimeError(MISSING)
        self.families = list(parser.text_string_to_metric_families(text))
        self.samples = {}
        for family in self.families:
            for sample in family.samples:
                key = self._key(sample.name, sample.labels)
                if key in self.samples:
                    raise AssertionError(f"{key} stands there twice")
                self.samples[key] = sample.value

    @staticmethod
    def _key(name, labels):
        return name, tuple(sorted(labels.items()))

    def __call__(self, name, **labels):
        """The value of one sample; 0 where there is none, as of a result that has not been met."""
        return self.samples.get(self._key(name, labels), 0)

    def calls(self, operation):
        """{(status, error id): calls} of an operation, those that are not zero."""
        found = {}
        for (name, labels), value in self.samples.items():
            of = dict(labels)
            if name == "chats_calls_total" and of["operation"] == operation and value:
                found[int(of["status"]), of["error"]] = value
        return found

    def histograms(self):
        """(name, labels without le, [(bound, count up to it)], sum, count) of each."""
        for family in self.families:
            if family.type != "histogram":
                continue
            series = {}
            for sample in family.samples:
                rest = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
                buckets = series.setdefault(rest, [])
                if sample.name.endswith("_bucket"):
                    buckets.append((float(sample.labels["le"]), sample.value))
            for labels, buckets in series.items():
                yield family.name, labels, buckets, self(f"{family.name}_sum", **dict(labels)), self(f"{family.name}_count", **dict(labels))

    def problems(self):
        """What is wrong with the text as such."""
        found = []
        for family in self.families:
            if not family.name.startswith("chats_") or not family.documentation or family.type == "unknown":
                found.append(f"{family.name}: '{family.type}', '{family.documentation}'")
            if (family.type == "counter") != all(s.name.endswith("_total") for s in family.samples):
                found.append(f"{family.name}: only counters, and all of them, are named _total")
        for name, labels, buckets, total, count in self.histograms():
            bounds, counts = zip(*buckets)
            if list(bounds) != sorted(set(bounds)) or bounds[-1] != float("inf") or list(counts) != sorted(counts):
                found.append(f"{name} {labels}: {buckets}")
            if counts[-1] != count or (count == 0 and total != 0):
                found.append(f"{name} {labels}: sum {total}, count {count}, buckets {buckets}")
        return found
