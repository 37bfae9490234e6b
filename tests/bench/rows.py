"""The rows that are measured through the web server: the service against the floor, the peer and itself."""

import contextlib

from bench import fpm, measure, stands

PROCESSES = 4  # against one with as many threads as all of them together
CURVE = (1, 4, 16, 64, 256)  # connections


def compare(stand, name, title, kind, connections, rounds, limits):
    """A Row of each contestant's figures, and of the service against those that `limits` ({contestant: limits}) names."""
    contestants = [who for who in ("floor", "peer", "chats") if who in stand.targets and (who in limits or who == "chats")]
    if "peer" in contestants:
        children = best_children(stand, kind, connections)
    runs = measure.in_turn(rounds, {who: stand.runner(who, kind, connections) for who in contestants})
    row = measure.Row(name, title, {who: measure.summary(found) for who, found in runs.items()}, [])
    for who in contestants:
        if who != "chats":
            mine, theirs = measure.rates(runs["chats"]), measure.rates(runs[who])
            row.ratios.append(measure.median_ratio(f"of the {who}", mine, theirs, **limits[who]))
    if "peer" in contestants:
        row.notes = {"peer_children": children}
    return row


def best_children(stand, kind, connections):
    """Leaves the peer with as many processes as answer most; {processes tried: requests a second}."""
    tried = {}
    for children in fpm.CHILDREN:
        stand.peer.start(children)
        tried[children] = round(stand.runner("peer", kind, connections)(0).per_s)
    stand.peer.start(max(tried, key=tried.get))
    return {"tried": tried, "taken": stand.peer.children}


def list_row(bench):
    title = "ListMessages, 25 of 100 bytes, 16 connections"
    limits = {"floor": {"bar": 0.80, "aim": 0.90}, "peer": {"bar": 2.0}}
    return compare(bench.stand, "list", title, "list", 16, bench.options.rounds, limits)


def send_row(bench):
    title = "SendMessage, one hot chat, 64 connections"
    limits = {"floor": {"bar": 0.50, "aim": 0.60}, "peer": {"bar": 6.0}}
    return compare(bench.stand, "send", title, "send", 64, bench.options.rounds, limits)


def send_many_row(bench):
    title = f"SendMessage over {stands.MANY:,} chats, 64 connections"
    limits = {"floor": {"bar": 0.50, "aim": 0.60}}
    return compare(bench.stand, "send-many", title, "send-many", 64, bench.options.rounds, limits)


def create_row(bench):
    title = "CreateChat, new pairs, 64 connections"
    limits = {"floor": {"bar": 0.40, "aim": 0.50}}
    return compare(bench.stand, "create", title, "create", 64, bench.options.rounds, limits)


def mixed_row(bench):
    title = "80 % ListMessages, 20 % SendMessage, 64 connections"
    row = compare(bench.stand, "mixed", title, "reads", 64, bench.options.rounds, {"floor": {}})
    figures = row.figures["chats"]
    row.ratios.insert(0, measure.Ratio("p99 to p50", figures["p99_us"] / figures["p50_us"], bar=5.0, sense="<="))
    return row


def cgi_list_row(bench):
    title = "plain CGI: ListMessages, 25 of 100 bytes, 16 connections"
    return compare(bench.cgi, "cgi-list", title, "list", 16, bench.options.rounds, {"floor": {"bar": 0.60}})


def cgi_send_row(bench):
    title = "plain CGI: SendMessage, one hot chat, 16 connections"
    return compare(bench.cgi, "cgi-send", title, "send", 16, bench.options.rounds, {"floor": {"bar": 0.60}})


def variants_row(bench, variants, kind, connections, rounds):
    """{variant: runs} of the same load on variants of the service (stands.Variants)."""
    with contextlib.closing(stands.Variants(bench.build, bench.folder / "variants", variants)) as stand:
        runners = {n: stands.runner(t, kind, connections, bench.options.seconds) for n, t in stand.targets.items()}
        return measure.in_turn(rounds, runners)


def versus(name, title, runs, what, **limits):
    """The Row of two variants: "chats", and what it is held against."""
    (other,) = (who for who in runs if who != "chats")
    ratio = measure.median_ratio(what, measure.rates(runs["chats"]), measure.rates(runs[other]), **limits)
    return measure.Row(name, title, {who: measure.summary(found) for who, found in runs.items()}, [ratio])


def token_row(bench):
    """The two are so near that the machine's own moods count: more rounds."""
    threads = bench.options.threads
    variants = {"open": ("open", threads, 1), "chats": ("required", threads, 1)}
    runs = variants_row(bench, variants, "list", 16, 2 * bench.options.rounds)
    title = "ListMessages, 16 connections: with a token against auth = open"
    return versus("token", title, runs, "of auth = open", bar=0.95)


def processes_row(kind, operation, connections):
    """A row function: workers in several processes against one with as many threads."""

    def row(bench):
        threads = bench.options.threads
        variants = {"one": ("required", threads, 1), "chats": ("required", threads // PROCESSES, PROCESSES)}
        runs = variants_row(bench, variants, kind, connections, 2 * bench.options.rounds)
        title = f"{operation}, {connections} connections: {PROCESSES} processes of {threads // PROCESSES} threads against one of {threads}"
        return versus(f"processes-{kind}", title, runs, "of one process", bar=0.10, sense="±")

    return row


def curve(bench):
    """Requests a second and times against connections, for the plot: {kind: {contestant: [figures]}}."""
    stand, found = bench.stand, {}
    for kind, usual in (("list", 16), ("send", 64)):
        found[kind] = {who: [] for who in stand.targets}
        if stand.peer:
            best_children(stand, kind, usual)
        for connections in CURVE:
            rounds = (bench.options.rounds + 1) // 2  # there are ten such points
            runs = measure.in_turn(rounds, {w: stand.runner(w, kind, connections) for w in stand.targets})
            for who, done in runs.items():
                found[kind][who].append({"connections": connections, **measure.summary(done)})
    return found
