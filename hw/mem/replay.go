package mem

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// Measurement is what a replay shows. Latency is that of reads, from
// acceptance (or the instant they were due) to their data.
type Measurement struct {
	// BandwidthGBps is of n transactions over the time of the last read's data, or,
	// without reads, until a buffer has taken the last write. Where that is above
	// the peak it is over the time that the busiest data bus needs for its bursts.
	BandwidthGBps float64 `json:"bw_GBps"`
	PctPeak       float64 `json:"pct_peak"`
	ReadLatMeanNs float64 `json:"rdlat_mean_ns"`
	ReadLatP50Ns  float64 `json:"rdlat_p50_ns"`
	ReadLatP99Ns  float64 `json:"rdlat_p99_ns"`
	RowHitRate    float64 `json:"rowhit_rate"` // transactions that found their row open
}

// maxReplay bounds the transactions of one replay.
const maxReplay = 100_000_000

// ErrStopped is the error of a replay that was told to stop.
var ErrStopped = errors.New("replay: stopped before its end")

// Replay drives n transactions of a pattern through the controllers of a
// configuration, with no engine between, and measures them. It asks stop now and
// then; then its error is ErrStopped. Others name what is wrong with the
// arguments.
//
// It is part of the model because it works below requests: it hands single
// transactions to a channel's buffers and decides ticks itself, as references of
// memory controllers were driven.
func Replay(stop func() bool, cfg Config, pattern, mode string, n int64) (Measurement, error) {
	p, err := ParsePattern(pattern)
	md, err2 := ParseMode(mode)
	faults := append(cfg.Validate(), err, err2, p.On(cfg.Device))
	if n < 1 || n > maxReplay {
		faults = append(faults, fmt.Errorf("n: %d transactions: between 1 and %d", n, maxReplay))
	}
	if err := errors.Join(faults...); err != nil {
		return Measurement{}, err
	}
	cfg = cfg.withDefaults()
	r := newReplay(cfg, p, md, n)
	if bits.OnesCount64(r.amap.channels) != 1 {
		return Measurement{}, fmt.Errorf("dram.channels: patterns are defined for a power of two of channels, not %d", r.amap.channels)
	}
	if !r.run(stop) {
		return Measurement{}, ErrStopped
	}
	return r.measure(), nil
}

// replay is a traffic generator with the channels it drives. It offers
// transactions to a channel for a tick when all ticks before are decided.
type replay struct {
	cfg   Config
	dev   *device
	amap  *addrMap
	mode  Mode
	src   *source
	chans []*channel
	stats Stats
	buses [][]int64 // bursts of each data bus, by channel and pseudo-channel

	n        int64
	reads    int64   // outstanding, mlp only
	start    []int64 // by transaction: tick of acceptance, or due time
	lat      latencies
	lastRead int64
	done     ticks // known ends of outstanding reads, mlp only
}

func newReplay(cfg Config, p Pattern, mode Mode, n int64) *replay {
	r := &replay{cfg: cfg, mode: mode, n: n, start: make([]int64, n)}
	var rules *rules
	r.dev, rules, r.amap = cfg.parts()
	dev := *r.dev
	dev.tCK -= dev.tCK % rules.tickDiv // whole picoseconds a tick, as the reference counts
	r.dev = &dev
	r.src = newSource(p, r.amap, r.dev)
	for i := range r.dev.channels * cfg.Channels {
		r.chans = append(r.chans, newChannel(r.dev, rules, r.amap, cfg, i, r, &r.stats))
		r.chans[i].wide.on = false // single transactions
		r.buses = append(r.buses, make([]int64, len(r.chans[i].ranks)))
	}
	return r
}

// finished implements owner: a read's data.
func (r *replay) finished(c *channel, p int32, end int64) {
	i := c.pieces[p].tag
	if r.src.writes.has(i) {
		return
	}
	r.lat.add(end - r.start[i])
	r.lastRead = max(r.lastRead, end)
	if r.mode.mlp > 0 {
		r.done.push(end)
	}
}

// offer gives transaction i to a channel for tick t, unless its buffer is full.
func (r *replay) offer(c *channel, kind int, i int64, at coord, t int64) bool {
	c.bring(t - 1)
	if c.used[kind] >= c.limit[kind] {
		return false
	}
	p := c.newPiece(i, 0, 1, t)
	c.pieces[p].left, c.pieces[p].end = 0, t
	c.insert(kind, p, at, 1, t)
	if pc := &c.pieces[p]; kind == writes || pc.unserved == 0 {
		c.finish(p)
	}
	c.next = min(c.next, t)
	return true
}

// bring decides everything up to tick t, refreshes of idle time included.
func (c *channel) bring(t int64) {
	c.advance(t)
	for c.next == never && c.refresher.next <= t {
		c.wakeForRefresh(t)
		c.advance(t)
	}
}

// stopPeriod is how many transactions pass between two questions whether to stop.
const stopPeriod = 1 << 14

// run offers all transactions and lets the channels finish. It reports whether
// it came to the end.
func (r *replay) run(stop func() bool) bool {
	perTick := len(r.chans) << r.dev.rank[0]
	t, taken := int64(1), 0
	for i := int64(0); i < r.n; {
		if i%stopPeriod == 0 && stop() {
			return false
		}
		channel, at := r.src.next(i)
		c, kind := r.chans[channel], reads
		if r.src.writes.has(i) {
			kind = writes
		}
		r.buses[channel][c.banks[at.bank].rank]++
		dueIn, due := r.due(i)
		for {
			if due > t {
				t, taken = due, 0
			}
			if taken == perTick {
				t, taken = t+1, 0
			}
			if kind == reads {
				if at := r.mayOffer(t); at > t {
					t, taken = at, 0
				}
			}
			r.start[i] = t
			if r.mode.rate > 0 {
				r.start[i] = dueIn
			}
			if r.offer(c, kind, i, at, t) {
				break
			}
			t, taken = c.waitForRoom(kind), 0
		}
		if kind == reads {
			r.reads++
		}
		taken++
		i++
	}
	for _, c := range r.chans {
		for !c.idle() {
			c.step(c.next)
		}
	}
	return true
}

// waitForRoom advances until a buffer has room and returns the tick after.
func (c *channel) waitForRoom(kind int) int64 {
	t := c.next
	for c.used[kind] >= c.limit[kind] {
		t = c.next
		c.step(c.next)
	}
	return t + 1
}

// due returns the tick in which transaction i becomes due in an open loop, and
// the first tick that begins no earlier.
func (r *replay) due(i int64) (in, from int64) {
	if r.mode.rate == 0 {
		return 0, 0
	}
	// Due at i·tx/(rate·peak) seconds, in ticks of tCK/div.
	hi, lo := bits.Mul64(uint64(i*r.dev.tx*100), uint64(1e12*r.chans[0].tickDiv))
	q, rem := bits.Div64(hi, lo, uint64(int64(r.mode.rate)*int64(r.dev.peak(r.cfg.Channels))*r.dev.tCK))
	in, from = int64(q)+1, int64(q)+1
	if rem != 0 {
		from++
	}
	return in, from
}

// mayOffer returns the first tick from t on at which another read may be
// outstanding.
func (r *replay) mayOffer(t int64) int64 {
	if r.mode.mlp == 0 {
		return t
	}
	for {
		for r.done.len() > 0 && r.done.first() < t {
			r.done.pop()
			r.reads--
		}
		if r.reads < int64(r.mode.mlp) {
			return t
		}
		t = r.nextDone()
	}
}

// nextDone advances the channels until it is known when the next read ends,
// and returns the tick after that.
func (r *replay) nextDone() int64 {
	for {
		first := never
		for _, c := range r.chans {
			if !c.idle() {
				first = min(first, c.next)
			}
		}
		if r.done.len() > 0 && (first == never || r.done.first() <= first) {
			return r.done.first() + 1
		}
		for _, c := range r.chans {
			c.advance(first)
		}
	}
}

// measure turns ticks into a measurement.
func (r *replay) measure() Measurement {
	tick := float64(r.dev.tCK) / float64(r.chans[0].tickDiv) / 1000
	end := r.lastRead
	if r.lat.n == 0 {
		end = r.start[r.n-1]
	}
	peak := float64(r.dev.peak(r.cfg.Channels)) / 1e9
	m := Measurement{BandwidthGBps: float64(r.n*r.dev.tx) / (float64(end) * tick)}
	if m.BandwidthGBps > peak { // buffers hold what has yet to be written
		m.BandwidthGBps = peak * r.balance()
	}
	if s := &r.stats; s.RowHits > 0 {
		m.RowHitRate = float64(s.RowHits) / float64(s.RowHits+s.RowMisses+s.RowConflicts)
	}
	m.PctPeak = 100 * m.BandwidthGBps / peak
	if r.lat.n > 0 {
		m.ReadLatMeanNs = float64(r.lat.sum) / float64(r.lat.n) * tick
		m.ReadLatP50Ns = float64(r.lat.at(50)) * tick
		m.ReadLatP99Ns = float64(r.lat.at(99)) * tick
	}
	return m
}

// balance returns the share of all data buses' time that bursts take until the
// busiest bus has carried its own without a gap, at most 1.
func (r *replay) balance() float64 {
	most, buses := int64(0), 0
	for _, c := range r.buses {
		most, buses = max(most, slices.Max(c)), buses+len(c)
	}
	return float64(r.n) / float64(most*int64(buses))
}
