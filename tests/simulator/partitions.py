#!/usr/bin/env python3
"""Random fault schedules against the partition protocol: one queue over many gateways.

usage: tests/simulator/partitions.py [--mode safe|loss|delete|all] [-n 500] [--seed 0] [--set rule=value ...]
                                     [--trace SEED] [--shrink SEED]

P partitions lie on P Redis nodes. Scripts are atomic on a node; requests are late or lost, replies are lost. A gateway
process is a set of tasks (generators) that yield calls and sleeps; it may crash, pause past its lease and go on, be
stopped. `RULES` are the rules of the protocol, as the gateway follows it; each can be switched off, or to what was
tried before (docs/adr/0014-partitions.md has what fails then).

Modes: safe (no data is lost), loss (nodes go back to an earlier copy), delete (somebody deletes keys while the owners
live). At the end everything is up and drained, then all processes are killed and it is drained again:
each pushed sample must be applied once. In `loss` what a node lost may be missing, and what it had claimed may be twice.

--trace tells a schedule step by step, --shrink looks for fewer faults that still make it fail.
Exit status: 0 every schedule holds, 1 not.
"""
import argparse, collections, heapq, random, sys

LEASE, TIMEOUT, FAULTS_END, DRAIN = 10.0, 3.0, 110.0, 160.0
RULES = dict(
    stages=2,         # 2: partitions are only routed; each home has a queue of its own beside, and an owner that only reads
                      # that; 1: the draft's shape, p's owner is the home of its part
    cas=1,            # deliver compares the position before
    fence='strict',   # strict: enter wants a higher epoch, deliver the same one; draft: not lower; none
    newer=1,          # a higher epoch at a home raises the own one; 0: it counts as displaced
    trim='out',       # out: what is undelivered is part of the checkpoint; wait: a commit waits for all homes (the draft);
                      # min: only the trim does; off: neither
    skip=1,           # a replay drops what a home has
    localskip=1,      # and what the state has (trim=min)
    forward=1,        # the place that the state covers never goes back (trim=min)
    same=1,           # in doubt the same is sent again; 0: it is merged with what came since
    moved='enter',    # another position than expected: enter again, reload where that does not explain it; or adopt it
    back=0,           # 1: a flush during a replay sends an empty position behind the one that is there
    again=1,          # each raised epoch is entered at the homes before the next claim; 0: after a load only
    settle=1,         # positions beyond the own lists are set back before the first claim
    line=1,           # and the record notes it, for a home that goes back too
    lost=1,           # with a raised epoch of `newer` the record notes where the own lists end
    behind='reload',  # a home went back: reload and send again; own: the position that p knows is set
    parts=1,          # scripts for each deliver: 1, or 2 with the position in the last
    clear=1,          # a reload empties the forwarder
    oom=1,            # deliver writes though the node is full
    beat=1,           # a standby's acquire compares the deadline that it saw too
    keeper=1,         # the lease is renewed while the reader waits for a home
    index='stream',   # stream: place in p's stream; present: list and offset from the oldest that is there
    empty=1,          # positions move though there is nothing to send
    known=1,          # a living owner whose position was deleted writes what it knows
    kept=1,           # begun anew out of memory, the forwarder is kept
    chunks=1,         # of a checkpoint's deltas, those that the home has are dropped (trim=out)
    least=1)          # a position is put right to where they begin, not to the base (trim=out)
PAGE = 4


class Node:
    """One Redis; each method that a process calls is a script."""

    def __init__(self, sim, q):
        self.sim, self.q, self.up, self.full, self.connection = sim, q, True, False, 0
        self.queue, self.work, self.rec, self.sources = [], {}, None, {}
        self.copy()

    def copy(self):
        self.old = (list(self.queue), {n: list(w) for n, w in self.work.items()}, self.rec and dict(self.rec), dict(self.sources))
        self.pushed, self.delivered, self.claimed = set(), set(), set()     # since the copy

    def roll_back(self):
        self.queue, self.work, self.rec, self.sources = self.old
        self.connection += 1
        self.sim.may_lack |= self.pushed | self.delivered
        self.sim.never_there |= self.pushed
        self.sim.may_double |= self.claimed
        self.copy()

    def held(self, epoch, token):
        return self.rec and (self.rec['epoch'], self.rec['token']) == (epoch, token)

    def lost(self):
        return 'lost', self.rec and self.rec['epoch'], self.rec and self.rec['token']

    def size(self):
        return sum(len(e) for w in (self.queue, *self.work.values()) for e in w)

    def is_full(self):
        return self.full or 0 < self.sim.room <= sum(n.size() for n in self.sim.nodes[self.q % self.sim.P::self.sim.P])

    def push(self, element):
        if self.is_full():
            return ('oom',)
        self.queue.append(element)
        self.pushed |= {i for _, i in element}
        return ('ok',)

    def look(self):
        return 'ok', self.rec and (self.rec['epoch'], self.rec['token'], self.rec['beat'])

    def acquire(self, epoch, token, new, highest, beat=None, line=None):
        rec = self.rec
        if beat is not None and self.sim.rules['beat'] and beat != (rec and rec['beat']):
            return self.lost()
        if (epoch != '*' and epoch != (rec and rec['epoch'])) or token != (rec and rec['token']):
            return self.lost()
        if not rec:
            if self.work:
                return ('orphans',)
            rec = self.rec = dict(epoch=0, version=0, tip=(0, 0), base=(1, 0, 0), covers=0, state={}, beat=0, line=(0, 0), out={})
        rec.update(epoch=max(rec['epoch'], highest) + 1, token=new, beat=rec['beat'] + 1)
        if line is not None:
            rec['line'] = (line[0] or rec['epoch'], line[1])
        return 'ok', dict(rec)

    def renew(self, epoch, token):
        if not self.held(epoch, token):
            return self.lost()
        self.rec['beat'] += 1
        return ('ok',)

    def release(self, epoch, token):
        if not self.held(epoch, token):
            return self.lost()
        self.rec['token'] = ''
        return ('ok',)

    def claim(self, epoch, token, tip, new):
        if not self.held(epoch, token):
            return self.lost()
        if self.rec['tip'] != tip:
            return ('moved',)
        if new[0] not in self.work:
            if not self.queue:
                return ('empty',)
            self.work[new[0]], self.queue = self.queue, []
        self.claimed |= {i for e in self.work[new[0]] for series, i in e if self.sim.home(series) != self.q}
        self.rec['tip'] = new
        return 'ok', len(self.work[new[0]])

    def lengths(self, epoch, token, first, last):
        if not self.held(epoch, token):
            return self.lost()
        return 'ok', [len(self.work.get(n, ())) for n in range(first, last + 1)]

    def page(self, n, length, offset, count):
        have = self.work.get(n, [])
        at = offset - (length - len(have))
        return 'ok', have[at:at + count] if at >= 0 else []

    def commit(self, epoch, token, version, new, state, base, length, covers, out):
        if not self.held(epoch, token):
            return self.lost()
        if self.rec['version'] != version:
            return ('moved',)
        self.rec.update(version=new, state=state, base=base, covers=covers, out=out)
        for n in [n for n in self.work if n < base[0]]:
            del self.work[n]
        if base[1] and base[0] in self.work:
            self.work[base[0]] = self.work[base[0]][-(length - base[1]):]
        return ('ok',)

    def found(self, epoch, token, version, keep, length, last, nonce, line):
        """Begins the record out of the holder's memory: lists that it has go, others are numbered behind the last."""
        if self.rec:
            return self.lost()
        for n in [n for n in self.work if n < keep[0]]:
            del self.work[n]
        if keep[1] and keep[0] in self.work:
            self.work[keep[0]] = self.work[keep[0]][-(length - keep[1]):]
        tip = last
        for n in range(keep[0], last + 1):
            if n in self.work:
                tip += 1
                self.work[tip] = self.work.pop(n)
        self.rec = dict(epoch=epoch, token=token, version=version, tip=(tip, nonce), base=(last + 1, 0, keep[2]), covers=keep[2],
                        state={}, beat=0, line=line, out={})
        return 'ok', dict(self.rec)

    def enter(self, p, epoch, token, fix):
        """At a home: fences earlier owners of p off, puts the position right, and tells it as it was and as it is."""
        at, rules = self.sources.get(p), self.sim.rules
        if at and rules['fence'] == 'strict' and (at[0] > epoch or (at[0] == epoch and at[1] != token)):
            return 'newer', at[0]
        if at and rules['fence'] == 'draft' and at[0] > epoch:
            return 'newer', at[0]
        self.sources[p] = (epoch, token, fix(at[0] if at else 0, at and at[2]))
        return 'ok', at and at[2], self.sources[p][2]

    def deliver(self, p, epoch, token, prev, new, elements, last_part=True):
        """At a home: pushes deltas, and moves the position with them."""
        at, rules = self.sources.get(p), self.sim.rules
        if not at:
            return 'lost', None, None
        if (rules['fence'] == 'strict' and at[:2] != (epoch, token)) or (rules['fence'] == 'draft' and at[0] > epoch):
            return 'lost', at[0], at[1]
        if rules['cas'] and at[2] != prev:
            return 'moved', at[2]
        if elements and not rules['oom'] and self.is_full():
            return ('oom',)
        if elements:
            self.queue.append(tuple(elements))
            self.delivered |= {i for _, i in elements}
        if last_part:
            self.sources[p] = (epoch, token, new)
        return ('ok',)


class Gateway:
    def __init__(self, sim, name):
        self.sim, self.name, self.token = sim, name, f'{name}/{sim.next()}'
        self.alive, self.frozen, self.p, self.high, self.load_number = True, 0.0, None, 0, 0
        self.open, self.gate, self.stopping, self.in_memory, self.displaced = False, -1.0, False, False, False
        self.want, self.known, self.state, self.conf, self.acc, self.pend = False, {}, {}, {}, {}, {}
        self.cursor = self.end = 0
        self.outside, self.line, self.fragile, self.founding, self.anew, self.out = set(), (0, 0), False, None, False, {}
        sim.spawn(self, self.main())

    def call(self, q, script, *args):
        return (yield ('call', q, script, args))

    def pause(self, least, most=None):
        yield ('sleep', self.sim.rng.uniform(least, most or least))

    def main(self):
        yield from self.pause(0, 2)
        p = yield from self.stand_by()
        if p is not None:
            self.p, self.want = p, True
            self.sim.spawn(self, self.keeper())
            yield from self.own()
        self.sim.trace(self, 'ends', self.p)
        self.alive, self.open = False, False
        self.sim.at(self.sim.rng.uniform(1, 4), lambda: self.sim.start(self.name))

    def stand_by(self):
        seen = {}
        while not self.stopping:
            for q in self.sim.rng.sample(range(self.sim.S), self.sim.S):
                answer = yield from self.call(q, 'look')
                if not answer:
                    continue
                rec, now = answer[1], self.sim.now
                before = seen.get(q)
                since = before[1] if before and before[0] == rec and now - before[2] <= LEASE / 2 else now
                seen[q] = (rec, since, now)
                if rec is None:
                    if now > 5 and now - since < LEASE:
                        continue
                elif rec[1] == self.token:
                    return q
                elif rec[1] != '' and now - since < LEASE:
                    continue
                answer = yield from self.call(q, 'acquire', rec and rec[0], rec and rec[1], self.token, self.high,
                                                rec and rec[2])
                if answer and answer[0] == 'ok':
                    self.high = answer[1]['epoch']
                    return q
            yield from self.pause(1, 2)

    def keeper(self):
        while self.alive and not self.displaced:
            yield from self.pause(LEASE / 3)
            if self.sim.rules['keeper']:
                yield from self.renew()

    def renew(self):
        sent = self.sim.now
        answer = yield from self.call(self.p, 'renew', self.high, self.token)
        if answer and answer[0] == 'ok':
            self.gate = sent + LEASE
        elif answer:
            self.check = True

    def homes(self):
        return self.sim.homes(self.p)

    def raise_epoch(self, line=None):
        """The own epoch, raised; None where the record is another's or has gone."""
        while True:
            sent, self.link = self.sim.now, self.sim.nodes[self.p].connection
            answer = yield from self.call(self.p, 'acquire', '*', self.token, self.token, self.high, None, line)
            if answer:
                break
            yield from self.pause(.5)
        self.check = False
        if answer[0] != 'ok':
            return None, answer
        self.high, self.gate = answer[1]['epoch'], sent + LEASE
        return answer[1], answer

    # -- positions as they are written at homes

    def written(self, index):
        if self.sim.rules['index'] == 'stream':
            return index
        n, offset, _ = self.place(index)[0]
        return n * 1000 + offset - (self.shift[1] if n == self.shift[0] else 0)

    def read(self, value):
        if self.sim.rules['index'] == 'stream' or value is None:
            return value
        n, offset = divmod(value, 1000)
        starts = [start for number, start, _ in self.lists if number == n]
        if not starts:
            return self.end if n > self.tip[0] else self.base[2]
        return starts[0] + offset + (self.shift[1] if n == self.shift[0] else 0)

    def place(self, index):
        for n, start, length in self.lists:
            if start <= index < start + length:
                return (n, index - start, index), length
        return (self.tip[0] + 1, 0, index), 0

    # -- loading

    def load(self):
        """Loads the last checkpoint; False where this process does not own the partition any more."""
        rules, sim = self.sim.rules, self.sim
        self.load_number += 1
        self.want = self.open = False
        sim.count['loads'] += 1
        line, before = None, {k: v for k, v in vars(self).items() if k in ('base', 'tip', 'version', 'lists', 'shift', 'end', 'start')}
        while True:
            rec, answer = yield from self.raise_epoch(line)
            if not rec:
                if answer[0] == 'lost' and answer[1] is None and self.in_memory:
                    self.fragile = True
                    vars(self).update(before)
                    return (yield from self.begin_anew())
                self.displaced = True
                return False
            if rec['version'] == self.founding:
                vars(self).update(before)
                return (yield from self.begin_anew(rec))
            line, self.fence = None, (self.high, self.token)
            if self.line > rec['line'] and rules['line']:
                line = self.line
                continue
            self.base, self.tip, self.version, self.out = rec['base'], rec['tip'], rec['version'], rec['out']
            answer = yield from self.insist(self.p, 'lengths', self.high, self.token, self.base[0], self.tip[0])
            if not answer or answer[0] != 'ok':
                continue
            self.know_lists(answer[1])
            self.start = {}
            for q in self.homes():
                answer = yield from self.insist(q, 'enter', self.p, *self.fence, self.fix(q, rec['line']))
                if answer and answer[0] == 'newer' and not rules['newer']:
                    self.displaced = True
                    return False
                if not answer or answer[0] == 'newer':
                    self.high = max(self.high, answer[1] if answer else 0)
                    if answer and rules['lost']:
                        line = (0, self.end)    # own history was lost: homes may go back to places of it later
                    break
                was, self.start[q] = self.read(answer[1]), self.read(answer[2])
                sim.count['gaps'] += was is not None and was < self.start[q]
                if self.start[q] > self.end and rules['settle']:
                    line = (0, self.end)    # p's node went back: what lies behind is of lists that are no more
            if len(self.start) < len(self.homes()) or line is not None:
                continue
            self.conf, self.known, self.line, self.outside = dict(self.start), dict(self.start), rec['line'], set()
            self.state, self.covers, self.cursor = dict(rec['state']), rec['covers'], self.base[2]
            if rules['clear'] or not self.acc:
                self.acc, self.pend = {q: [] for q in self.homes()}, {}
            for q, chunks in rec['out'].items():
                for begin, _, samples in chunks:
                    self.acc[q] += samples if begin >= self.start[q] or not rules['chunks'] else ()
            self.replayed, self.anew, self.saved, self.next_save = self.end, False, None, sim.now + sim.rng.uniform(.2, 6)
            self.in_memory = self.cursor >= self.end
            self.spawn_deliverers()
            sim.trace(self, 'loaded', self.p, self.fence[0], self.base, 'covers', self.covers, 'end', self.end, 'homes', self.start)
            return True

    def insist(self, q, script, *args):
        while True:
            answer = yield from self.call(q, script, *args)
            if answer or self.check or q == self.p:
                return answer
            yield from self.pause(.5)

    def fix(self, q, line, held=None):
        """What enter makes of the position that it finds."""
        chunks, rules = self.out.get(q), self.sim.rules
        base = chunks[0][0] if chunks and rules['least'] else self.base[2]
        base = min(base, held) if held is not None else base     # what is still in memory need not be read again

        def fixed(epoch, value):
            known = self.known.get(q)
            if value is None:
                return self.written(known if rules['known'] and known is not None else base)
            at = index = self.read(value)
            if epoch < line[0] and rules['line']:
                index = min(index, line[1])
            elif index > line[1] == self.end and line[0] == self.high:
                index = line[1]
            if rules['behind'] == 'own' and known is not None and known <= self.end:
                index = max(index, known)
            index = max(index, base)
            return value if index == at else self.written(index)
        return fixed

    def know_lists(self, lengths):
        self.lists, self.shift, index = [], self.base, self.base[2] - self.base[1]
        for k, length in enumerate(lengths):
            length += 0 if k else self.base[1]
            self.lists.append((self.base[0] + k, index, length))
            index += length
        self.end = index if lengths else self.base[2]

    def begin_anew(self, rec=None):
        """The record has gone while this process has all of it in memory."""
        if not rec:
            self.high += 1
            keep, length = self.place(self.cursor)
            self.founding = self.sim.next()
            answer = yield from self.call(self.p, 'found', self.high, self.token, self.founding, keep, length,
                                          max(self.tip[0], self.tip_in_doubt), self.sim.next(), self.line)
            if not answer or answer[0] != 'ok':
                self.displaced = bool(answer)
                return False if answer else (yield from self.load())
            rec = answer[1]
        self.base, self.tip, self.version, self.covers = rec['base'], rec['tip'], rec['version'], rec['covers']
        answer = yield from self.insist(self.p, 'lengths', self.high, self.token, self.base[0], self.tip[0])
        if not answer or answer[0] != 'ok':
            return (yield from self.load())
        self.know_lists(answer[1])
        self.saved, self.founding, self.open = None, None, True
        self.anew = self.fragile = True     # nothing is read on before the first checkpoint
        if not self.sim.rules['kept']:
            self.acc = {q: [] for q in self.homes()}
        self.spawn_deliverers()
        self.sim.trace(self, 'begins anew', self.base, self.tip, 'end', self.end, 'cursor', self.cursor, self.conf)
        return True

    def spawn_deliverers(self):
        for q in self.homes():
            self.sim.spawn(self, self.deliverer(q, self.load_number))

    # -- owning

    def own(self):
        sim, rules = self.sim, self.sim.rules
        self.check, self.tip_in_doubt, self.check_at = False, 0, 0.0
        while True:
            if self.want and not (yield from self.load()):
                return
            if self.check:
                yield from self.resume()
                continue
            if self.stopping:
                return (yield from self.finish())
            size = max((len(a) for a in self.acc.values()), default=0)
            sim.count['largest forwarder'] = max(sim.count['largest forwarder'], size)
            if not rules['keeper'] and sim.now >= self.check_at and size <= sim.bound:
                self.check_at = sim.now + LEASE / 3
                yield from self.renew()
            if sim.now >= self.next_save or self.anew:
                yield from self.save()
                if sim.now >= self.next_save or self.anew:
                    continue
            if size > sim.bound:
                self.flush()
                yield from self.pause(.2, 1)
            elif self.cursor < self.end:
                yield from self.read_page()
            else:
                if not self.open and self.cursor >= self.replayed:
                    self.open = self.in_memory = True
                self.flush()
                yield from self.claim()

    def read_page(self):
        (n, offset, _), length = self.place(self.cursor)
        count = min(length - offset, self.sim.rng.randint(1, PAGE))
        answer = yield from self.call(self.p, 'page', n, length, offset, count)
        if self.want:
            return
        if not answer or len(answer[1]) < count:
            self.want, self.check = bool(answer), not answer
            return
        for element in answer[1]:
            for series, i in element:
                home = self.sim.home(series)
                if home == self.p:
                    if self.cursor >= self.covers or not self.sim.rules['localskip']:
                        self.state[i] = self.state.get(i, 0) + 1
                elif self.cursor >= self.start[home] or not self.sim.rules['skip']:
                    self.acc[home].append((series, i))
            self.cursor += 1
            if self.sim.rng.random() < .3:
                self.flush()

    def flush(self):
        for q in self.homes():
            if q in self.pend:
                continue
            moves = self.cursor != self.conf[q] if self.sim.rules['back'] else self.cursor > self.conf[q]
            if moves and (self.acc[q] or self.sim.rules['empty']) or self.acc[q]:
                self.pend[q] = (self.conf[q], self.cursor, tuple(self.acc[q]))
                self.acc[q] = []

    def deliverer(self, q, number):
        rules = self.sim.rules
        while self.alive and self.load_number == number and not self.displaced:
            if q in self.outside:
                yield from self.enter_again(q)
                if self.want:
                    return
                if q in self.outside:
                    yield from self.pause(.3)
                continue
            if q not in self.pend:
                yield from self.pause(.2, 1)
                continue
            prev, new, elements = self.pend[q]
            values = self.written(prev), self.written(new)
            if rules['parts'] == 2 and len(elements) > 1:
                answer = yield from self.call(q, 'deliver', self.p, *self.fence, *values, elements[:1], False)
                if self.load_number == number and answer and answer[0] == 'ok':
                    answer = yield from self.call(q, 'deliver', self.p, *self.fence, *values, elements[1:])
            else:
                answer = yield from self.call(q, 'deliver', self.p, *self.fence, *values, elements)
            if self.load_number != number:
                return
            if not answer:
                if not rules['same']:
                    self.pend[q], self.acc[q] = (prev, self.cursor, elements + tuple(self.acc[q])), []
            elif answer[0] == 'ok' or (answer[0] == 'moved' and answer[1] == values[1]):
                self.conf[q] = self.known[q] = new
                del self.pend[q]
            elif answer[0] == 'oom':
                yield from self.pause(1)
            elif answer[0] == 'moved' and rules['moved'] == 'adopt':
                self.conf[q] = self.known[q] = self.read(answer[1])
                del self.pend[q]
            elif answer[0] == 'lost' and not rules['newer'] and answer[1] is not None:
                self.displaced = self.want = True
            else:
                self.sim.trace(self, 'home', q, 'answers', answer, 'to', prev, new)
                yield from self.enter_again(q)
                if self.want:
                    return

    def claim(self):
        if self.outside:
            yield from self.pause(.3)
            return
        new = (self.tip[0] + 1, self.sim.next())
        self.tip_in_doubt = new[0]
        answer = yield from self.call(self.p, 'claim', self.high, self.token, self.tip, new)
        if self.want:
            return
        if not answer or answer[0] == 'lost':
            yield from self.resume(tip=new)
        elif answer[0] == 'ok':
            self.claimed(new, answer[1])
        elif answer[0] == 'moved':
            self.want = True
        else:
            yield from self.pause(.5, 2)

    def claimed(self, new, length):
        self.sim.trace(self, 'claims', self.p, new, length, 'at', self.end)
        self.tip = new
        self.lists.append((new[0], self.end, length))
        self.end += length

    def covered(self):
        return max(self.cursor, self.covers) if self.sim.rules['forward'] else self.cursor

    def save(self):
        """Begins a checkpoint, or commits the one that was begun, once it may."""
        rules = self.sim.rules
        if not self.saved:
            self.flush()
            out = {q: self.undelivered(q) for q in self.homes()} if rules['trim'] == 'out' else {}
            self.saved = self.covered(), dict(self.state), out
        index, state, out = self.saved
        if rules['trim'] == 'wait' and min(self.conf.values(), default=index) < index and index > self.base[2]:
            self.sim.count['waits'] += 1
            self.next_save = self.sim.now + .5
            return
        keep = min([index, self.cursor, *self.conf.values()]) if rules['trim'] == 'min' else index
        base, length = self.place(max(keep, self.base[2]))
        version = self.sim.next()
        answer = yield from self.call(self.p, 'commit', self.high, self.token, self.version, version, state, base, length, index, out)
        if self.want:
            return
        self.saved, self.saved_out, self.next_save = None, out, self.sim.now + self.sim.rng.uniform(3, 8)
        if answer and answer[0] == 'ok':
            self.committed(version, base)
        elif answer and answer[0] == 'moved':
            self.want = True
        else:
            yield from self.resume(version=version, base=base)

    def covered(self):
        return max(self.cursor, self.covers) if self.sim.rules['forward'] else self.cursor

    def undelivered(self, q):
        """Deltas as a checkpoint has them: (from, to, samples), one behind the other; the first may be on its way."""
        pending = [self.pend[q]] if q in self.pend else []
        begin = pending[0][1] if pending else self.conf[q]
        return pending + ([(begin, self.cursor, tuple(self.acc[q]))] if self.cursor > begin else [])

    def committed(self, version, base):
        self.sim.count['commits'] += 1
        self.sim.trace(self, 'commits', self.p, base)
        self.version, self.base, self.out, self.anew, self.fragile = version, base, self.saved_out, False, bool(self.pend) or any(self.acc.values())
        self.lists = [entry for entry in self.lists if entry[0] >= base[0]]

    def resume(self, tip=None, version=None, base=None):
        """After a call without an answer: raises the epoch and finds out what became of it."""
        rec, _ = yield from self.raise_epoch()
        if not rec or rec['version'] not in (self.version, version) or rec['tip'] not in (self.tip, tip) or rec['line'] != self.line:
            self.want = True
            return
        if version and rec['version'] == version:
            self.committed(version, base)
        if tip and rec['tip'] == tip:
            answer = yield from self.insist(self.p, 'lengths', self.high, self.token, tip[0], tip[0])
            if not answer or answer[0] != 'ok':
                self.want = True
                return
            self.claimed(tip, answer[1][0])
        if self.sim.rules['again']:     # no claim before every home has been entered again
            self.fence, self.outside = (self.high, self.token), set(self.homes())

    def enter_again(self, q):
        """Whether a home is where this process takes it to be; if not, everything is loaded anew."""
        number, fence = self.load_number, self.fence
        answer = yield from self.call(q, 'enter', self.p, *fence, self.fix(q, self.line, self.conf[q]))
        known = {self.written(self.conf[q]), self.written(self.pend[q][1] if q in self.pend else self.conf[q])}
        if self.load_number != number or self.fence != fence or not answer:
            return
        if answer[0] == 'ok' and answer[2] in known and answer[1] in known | {None}:
            self.outside.discard(q)
        else:
            self.want = True

    def finish(self):
        """A clean stop: what is claimed is not read on; flush, deliver, last checkpoint, release."""
        until = self.sim.now + 12
        while self.sim.now < until and not self.want and not self.check:
            self.flush()
            if not self.pend and not any(self.acc.values()):
                break
            yield from self.pause(.5)
        if not self.want and not self.check:
            self.saved = None
            yield from self.save()
        self.load_number += 1
        self.open = False
        yield from self.call(self.p, 'release', self.high, self.token)

    def is_drained(self):
        return (self.open and not self.anew and self.cursor == self.end and not self.pend and not any(self.acc.values()) and not self.want
                and self.version and self.base[2] == self.cursor)


class Sim:
    def __init__(self, seed, mode, rules, faults=None, trace=False):
        self.rng, self.mode, self.rules, self.tracing = random.Random(seed), mode, rules, trace
        self.now, self.heap, self.number, self.count = 0.0, [], 0, collections.Counter()
        self.may_lack, self.may_double, self.never_there, self.problems = set(), set(), set(), []
        self.P = self.rng.choice((2, 2, 3))
        self.S = self.P * rules['stages']       # slots: the partitions, and behind them their home queues where there are two stages
        self.nodes, self.exposed = [Node(self, q) for q in range(self.S)], [{} for _ in range(self.S)]
        self.gateways, self.all = {}, set()
        self.rates = [self.rng.choice((0, .01, .04, .1) if mode != 'delete' else (0, .01)) for _ in range(3)]   # lost, late, reply lost
        self.calm, self.bound, self.room = False, self.rng.choice((5, 25)), self.rng.choice((0, 0, 25))
        plan = self.plan()
        self.faults = plan if faults is None else faults
        for name in range(self.S + self.rng.choice((0, 1, 2))):
            self.start(name)
        for at, what, *args in self.faults:
            self.at(at, lambda what=what, args=args: self.fault(what, *args))

    def plan(self):
        rng, kinds = self.rng, ['crash', 'crash', 'pause', 'pause', 'stop', 'down', 'full', 'failover']
        kinds += {'safe': [], 'loss': ['back'] * 5, 'delete': ['sources', 'record'] * 2}[self.mode]
        plan = []
        for _ in range(rng.choice((2, 4, 8, 14))):
            plan.append((rng.uniform(3, FAULTS_END), rng.choice(kinds), rng.random(), rng.choice((1, 4, 12, 30)) * rng.random()))
        times = [at for at, *_ in plan]
        for _ in range(rng.randint(15, 60)):    # most come when something happens
            at = rng.choice(times) + rng.uniform(-4, 6) if rng.random() < .6 else rng.uniform(0, FAULTS_END)
            plan.append((min(max(at, 0), FAULTS_END), 'push', rng.randrange(self.P), rng.randint(1, 3)))
        return sorted(plan)

    def next(self):
        self.number += 1
        return self.number

    def at(self, delay, do):
        heapq.heappush(self.heap, (self.now + delay, self.next(), do))

    def trace(self, who, *what):
        if self.tracing:
            print(f'{self.now:7.2f} {who.name if isinstance(who, Gateway) else who}', *what)

    def homes(self, p):
        if self.S > self.P:
            return range(self.P, self.S) if p < self.P else ()
        return [q for q in range(self.P) if q != p]

    def home(self, series):
        return series % self.P + self.S - self.P

    def start(self, name):
        if name not in self.gateways or not self.gateways[name].alive:
            self.gateways[name] = Gateway(self, name)

    def fault(self, what, which, length):
        rng = self.rng
        if what == 'push':
            element = tuple((rng.randrange(6), self.next()) for _ in range(length))
            self.trace('push', which, element)
            if self.nodes[which].up and self.nodes[which].push(element) == ('ok',):
                self.all |= {i for _, i in element}
            return
        living = [g for g in self.gateways.values() if g.alive and not g.fragile]
        node = self.nodes[int(which * self.S)]
        together = [n for n in self.nodes if n.q % self.P == node.q % self.P]     # on the same Redis
        if what in ('crash', 'pause', 'stop') and living:
            gateway = living[int(which * len(living))]
            self.trace(gateway, what, f'{length:.1f}')
            if what == 'stop':
                gateway.stopping = True
            elif what == 'pause':
                gateway.frozen = self.now + length
            else:
                gateway.alive = False
                self.at(rng.uniform(.5, 15), lambda: self.start(gateway.name))
            return
        self.trace('node', node.q, what, f'{length:.1f}')
        if what in ('down', 'failover', 'full'):
            for n in together:
                n.connection += what != 'full'
                setattr(n, *(('full', True) if what == 'full' else ('up', False)))
                self.at(.5 if what == 'failover' else length, lambda n=n: setattr(n, *(('full', False) if what == 'full' else ('up', True))))
        elif what == 'back':
            if not any(self.is_fragile(n) or not n.old[2] for n in together):
                for n in together:
                    n.roll_back()
        elif what == 'sources':
            owners = [g for g in living if g.open and g.frozen <= self.now and g.gate > self.now + 5
                      and not g.want and not g.stopping]
            if len(owners) == self.S == len([g for g in self.gateways.values() if g.alive and g.p is not None]):
                node.sources.clear()
                node.connection += 1
                for gateway in owners:      # what is in doubt just then may be sent again
                    self.may_double |= {i for _, i in gateway.pend.get(node.q, (0, 0, ()))[2]}
                    gateway.fragile = gateway.p != node.q
        elif what == 'record' and node.rec and self.now > 15:
            holder = [g for g in living if g.token == node.rec['token'] and g.p == node.q]
            if len([g for g in self.gateways.values() if g.alive and g.p == node.q]) == 1 and holder and holder[0].open and not holder[0].want and holder[0].frozen <= self.now \
                    and not holder[0].stopping:
                node.rec, node.connection = None, node.connection + 1
                holder[0].check = holder[0].fragile = True

    def is_fragile(self, node):
        """Whether the only copy of something is in a gateway's memory: nothing is promised if that goes too."""
        return any(g.alive and g.p == node.q and g.fragile for g in self.gateways.values())

    # -- tasks and messages

    def spawn(self, gateway, task):
        self.step(gateway, task, None)

    def step(self, gateway, task, value):
        if not gateway.alive:
            return
        if gateway.frozen > self.now:
            self.at(gateway.frozen - self.now + .01, lambda: self.step(gateway, task, value))
            return
        try:
            wish = task.send(value)
        except StopIteration:
            return
        if wish[0] == 'sleep':
            self.at(wish[1], lambda: self.step(gateway, task, None))
            return
        _, q, script, args = wish
        rng, node = self.rng, self.nodes[q]
        lost, late, mute = (0, 0, 0) if self.calm else self.rates
        waiting, connection = [True], node.connection

        def answer(value):
            if waiting[0]:
                waiting[0] = False
                self.step(gateway, task, value)

        def arrive():
            if node.up and node.connection == connection:
                reply = getattr(node, script)(*args)
                if rng.random() >= mute:
                    back = node.connection
                    self.at(rng.uniform(.02, .3), lambda: node.connection == back and answer(reply))

        if q == gateway.p and script not in ('look', 'acquire', 'renew') and gateway.link != connection:
            self.at(.1, lambda: answer(None))       # the own connection broke: the epoch is raised before anything else
            return
        draw = rng.random()
        if draw >= lost:
            slow = draw < lost + late and script not in ('acquire', 'found')
            self.at(rng.uniform(3, 25) if slow else rng.uniform(.02, .3), arrive)
        self.at(TIMEOUT if script != 'look' else .8, lambda: answer(None))

    # -- what has to hold

    def scrape(self):
        self.count['largest node'] = max(self.count['largest node'], *(node.size() for node in self.nodes))
        for q in range(self.S):
            serving = [g for g in self.gateways.values()
                       if g.alive and g.p == q and g.open and g.gate > self.now and g.frozen <= self.now]
            if len(serving) > 1 and self.mode != 'loss':
                self.problems.append('two serve')
            for gateway in serving:
                if self.mode == 'safe' and any(gateway.state.get(i, 0) < n for i, n in self.exposed[q].items()):
                    self.problems.append('a total fell')
                self.exposed[q] = dict(gateway.state)
                self.count['served'] += 1
            self.count['asked'] += 1

    def check(self, when):
        applied = collections.Counter()
        for q in range(self.S):
            for gateway in self.gateways.values():
                if gateway.alive and gateway.p == q and gateway.open:
                    applied.update(gateway.state)
        lack = {i for i in self.all if not applied[i]} - self.may_lack
        double = {i for i in applied if applied[i] > 1} - self.may_double
        if when == 'once':
            self.count['lost at a home'] += len([i for i in self.all - self.never_there if not applied[i]])
        self.count['missing'] += len([i for i in self.all if not applied[i]])
        self.count['doubled'] += len([i for i in applied if applied[i] > 1])
        if lack:
            self.problems.append(f'missing {when}')
            self.trace('check', 'missing', lack)
        if double:
            self.problems.append(f'twice {when}')
            self.trace('check', 'twice', double)

    def drained(self):
        owners = [g for g in self.gateways.values() if g.alive and g.p is not None and not g.displaced]
        return (not any(n.queue for n in self.nodes) and all(g.open and self.nodes[g.p].rec and self.nodes[g.p].rec['tip'] == g.tip for g in owners) and {g.p for g in owners} == set(range(self.S)) and len(owners) == self.S
                and all(g.is_drained() for g in owners if g.p is not None))

    def run_until(self, end, stop_if=None):
        while self.heap and self.heap[0][0] <= end:
            self.now, _, do = heapq.heappop(self.heap)
            do()
            if stop_if and self.number % 50 == 0 and stop_if():
                return True
        self.now = max(self.now, end)
        return bool(stop_if and stop_if())

    def run(self):
        rng = self.rng

        def beat():
            self.scrape()
            if not self.calm and rng.random() < .2:
                which = rng.randrange(self.P)
                if not any(self.is_fragile(n) for n in self.nodes[which::self.P]):
                    for n in self.nodes[which::self.P]:
                        n.copy()
            self.at(rng.uniform(.5, 1.5), beat)

        beat()
        self.run_until(FAULTS_END)
        self.calm = True
        for node in self.nodes:
            node.up, node.full = True, False
        for gateway in self.gateways.values():
            gateway.frozen = min(gateway.frozen, self.now)
        for when in ('once', 'again'):
            if not self.run_until(self.now + DRAIN, self.drained):
                self.problems.append('not drained')
                break
            self.check(when)
            if self.tracing:
                print('--- drained', when)
            if when == 'once':
                for name, gateway in list(self.gateways.items()):
                    gateway.alive = False
                    self.start(name)
        return self.problems


def shrink(seed, mode, rules):
    """Takes faults away one by one as long as it still fails."""
    first = Sim(seed, mode, rules)
    kept, failing = first.faults, bool(first.run())
    changed = failing
    while changed:
        changed = False
        for k in range(len(kept) - 1, -1, -1):
            fewer = kept[:k] + kept[k + 1:]
            if Sim(seed, mode, rules, fewer).run():
                kept, changed = fewer, True
    return kept


def run(mode, rules, options):
    """How many schedules of a mode fail; says it."""
    failed, kinds, total, seeds = 0, collections.Counter(), collections.Counter(), []
    for seed in range(options.seed, options.seed + options.n):
        sim = Sim(seed, mode, rules)
        problems = set(sim.run())
        failed += bool(problems)
        kinds.update(problem.split()[0] + ' ' + problem.split()[1] if ' ' in problem else problem for problem in problems)
        seeds += [seed] if problems and len(seeds) < 5 else []
        largest = {k: max(total[k], sim.count.pop(k, 0)) for k in ('largest forwarder', 'largest node')}
        total.update(sim.count)
        total.update({k: v - total[k] for k, v in largest.items()})
    changed = ' '.join(options.set) or 'all rules'
    print(f'{mode:6} {changed:28} {failed}/{options.n} failed', dict(kinds), 'seeds', seeds)
    print('      ', {k: v for k, v in sorted(total.items())})
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--mode', default='safe', choices=('safe', 'loss', 'delete', 'all'))
    parser.add_argument('-n', type=int, default=500)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--set', nargs='*', default=[])
    parser.add_argument('--trace', type=int)
    parser.add_argument('--shrink', type=int)
    options = parser.parse_args()
    rules = dict(RULES)
    for pair in options.set:
        name, value = pair.split('=')
        assert name in rules, name
        rules[name] = int(value) if value.isdigit() else value
    if options.trace is not None:
        sim = Sim(options.trace, options.mode, rules, trace=True)
        print(sim.run(), dict(sim.count), 'P', sim.P, 'rates', sim.rates)
    elif options.shrink is not None:
        kept = shrink(options.shrink, options.mode, rules)
        sim = Sim(options.shrink, options.mode, rules, kept, trace=True)
        print(sim.run(), 'P', sim.P, 'rates', sim.rates)
        print(*kept, sep='\n')
    else:
        modes = ('safe', 'loss', 'delete') if options.mode == 'all' else (options.mode,)
        return 1 if sum(run(mode, rules, options) for mode in modes) else 0
    return 0


if __name__ == '__main__':
    sys.exit(main())
