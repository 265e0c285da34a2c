package pcie

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// page is the boundary that no TLP crosses, and the largest segment.
const page = 4096

// none is no record.
const none = ^uint32(0)

// Interrupter is what receives a device's MSI-X messages at the host.
type Interrupter func(vector int, addr uint64, data uint32)

type inOrder struct{ hw.Target }

func (inOrder) WritesInOrder() bool { return true }

// Ordered says for a target that it keeps writes in order itself.
func Ordered(t hw.Target) hw.InOrder { return inOrder{t} }

// reporter is a function that takes note of errors in what it asked for. Of any
// other's the link keeps no note.
type reporter interface{ Inject(Error) Severity }

// rootPort is a host that takes error messages. To any other a function sends none.
type rootPort interface{ SendError(Severity) }

// A link is all that a host can be, and a function reports.
var (
	_ hw.Host        = (*Link)(nil)
	_ hw.Meter       = (*Link)(nil)
	_ hw.Awaiter     = (*Link)(nil)
	_ hw.Unpluggable = (*Link)(nil)
	_ hw.Chaotic     = (*Link)(nil)
	_ rootPort       = (*Link)(nil)
	_ hw.Function    = (*Function)(nil)
	_ reporter       = (*Function)(nil)
)

// Link joins a device and its host. It implements hw.Host for the device.
//
// A request is cut into segments within pages. A segment is what travels, costs
// events and holds tags and credits; the cost of its TLPs is arithmetic on
// its address and size.
//
// Reads of different sources share the link by weight. Writes and interrupts
// leave in the order of Submit, as they must become visible in it.
type Link struct {
	e    *sim.Engine
	c    Config
	wire wire
	up   *sim.Link // device to host
	down *sim.Link

	root      hw.Target
	ordered   bool
	interrupt Interrupter
	fn        hw.Function
	report    reporter // fn, when it keeps error registers

	transfers pool[transfer]
	segments  pool[segment]
	accesses  pool[access]
	sources   []source
	turn      int   // the source whose read was sent last,
	budget    int64 // and the bytes left of its turn
	reading   int   // reads that are not sent in full
	readers   *sim.Arbiter
	writes    sim.FIFO[uint32] // writes and interrupts that are not sent in full, in order
	inWire    int64            // bytes of them on the wire,
	window    int64            // at most this many and a segment
	readSize  int64            // largest segments
	writeSize int64

	tags, posted, nonPosted, completions supply

	order     sim.FIFO[uint32] // writes and interrupts that are not visible, in order
	issued    int              // of these from the front: handed over in full
	inRoot    sim.FIFO[uint32] // posted segments handed over, up to the oldest that is not visible
	submitted int64            // posted segments so far: submitted,
	arrived   int64            // arrived at the root complex,
	visible   int64            // visible at the host
	held      heldReads
	replies   sim.FIFO[uint32] // answers to the host that wait likewise

	watch    watch        // over completions
	port     sim.Calendar // the CPU's stores
	gone     bool
	epoch    uint32 // grows when the link goes down
	lose     int    // read segments whose completions will be lost
	chaos    *chaos // nil: off
	stats    Stats
	trace    linkTrace
	handlers linkHandlers

	onErrors     func(Severity) // at the root port
	errorArrived sim.Handler
}

// source is one requester inside the device.
type source struct {
	weight  int64
	reads   sim.FIFO[uint32]
	written int64 // posted segments up to its last write
}

// New returns a link that is up, under a name for statistics and traces. dma
// gives the weight of each hw.Source in the arbitration (at least one); sources
// beyond the last share its queue. Config must be valid.
func New(e *sim.Engine, name string, c Config, dma []int) *Link {
	if faults := c.Validate(); faults != nil || len(dma) == 0 {
		panic(fmt.Sprintf("pcie: %d sources, configuration: %v", len(dma), faults))
	}
	l := &Link{e: e, c: c, wire: c.wire(), sources: make([]source, len(dma))}
	for i, w := range dma {
		l.sources[i].weight = int64(w)
	}
	config := sim.LinkConfig{Rate: c.TLPRate(), Latency: c.Latency, Quantum: c.MPS + sim.Bytes(l.wire.write)}
	config.Weights = append(append(config.Weights, dma...), slices.Max(dma), 1) // writes, replies
	l.up = e.NewLink(name+".up", config)
	config.Weights = append(slices.Clone(dma), 1) // MMIO
	l.down = e.NewLink(name+".down", config)
	l.size()
	l.tags = newSupply("tags", c.Tags)
	l.posted = newSupply("posted credits", c.PostedCredits)
	l.nonPosted = newSupply("non-posted credits", c.NonPostedCredits)
	l.completions = newSupply("completion credits", c.CompletionCredits)
	l.bind(name)
	l.errorArrived = e.Register(name+" error message", func(s uint64) {
		if !l.gone {
			l.onErrors(Severity(s))
		}
	})
	l.watch = watch{e.NewTimer(name+" completion time-out", l.onWatch), none, none}
	l.declare(name)
	return l
}

// size chooses how large segments may be: a page, less when tags or credits are few,
// or when more than half a per cent of the tags were left over.
func (l *Link) size() {
	c := &l.c
	reads := page / int64(c.MRRS)
	reads = min(c.Tags.portion(reads), c.NonPostedCredits.portion(reads),
		max(1, c.CompletionCredits.portion(reads*c.oneRead())/c.oneRead()))
	reads = floorPower(reads)
	for c.Tags != Unlimited && int64(c.Tags)%reads > int64(c.Tags)/200 {
		reads /= 2
	}
	writes := c.PostedCredits.portion(page / int64(c.MPS))
	l.readSize = reads * int64(c.MRRS)
	l.writeSize = floorPower(writes) * int64(c.MPS)
	flight := int64(c.TLPRate()) / 1000 * (int64(c.Latency) / 1000) / 1e6 // bytes on their way
	l.window = 2*flight + 8*l.writeSize
}

func floorPower(n int64) int64 { return 1 << (bits.Len64(uint64(n)) - 1) }

// SetUpstream says who serves the device's DMA (the root complex: IOMMU and
// host memory) and who receives its interrupts.
func (l *Link) SetUpstream(root hw.Target, interrupt func(vector int, addr uint64, data uint32)) {
	o, ok := root.(hw.InOrder)
	l.root, l.interrupt, l.ordered = root, interrupt, ok && o.WritesInOrder()
	l.disturb()
}

// SetFunction says what the host's accesses reach.
func (l *Link) SetFunction(fn hw.Function) {
	l.fn = fn
	l.report, _ = fn.(reporter)
}

// Config returns the configuration.
func (l *Link) Config() Config { return l.c }

// Function returns what is behind the link, nil if nothing is.
func (l *Link) Function() hw.Function { return l.fn }

// IsDown reports whether the link is down.
func (l *Link) IsDown() bool { return l.gone }

// Down takes the link down at once, as surprise removal does. What is on the
// wire is lost; DMA ends with hw.Unsupported (section 2.9.1), the host's reads
// with all ones, its writes vanish.
func (l *Link) Down() {
	if l.gone {
		return
	}
	l.gone = true
	l.epoch++
	l.e.After(0, sim.Call{H: l.handlers.drop})
}

// Up brings the link back. The function behind it keeps its state: whoever
// models the removal resets it.
func (l *Link) Up() { l.gone = false }

// onDrop ends what had not been sent when the link went down.
func (l *Link) onDrop(uint64) {
	for l.writes.Len() > 0 {
		l.abandon(l.writes.Pop())
	}
	for i := range l.sources {
		for q := &l.sources[i]; q.reads.Len() > 0; l.reading-- {
			l.abandon(q.reads.Pop())
		}
	}
	l.advance()
}

// Idle returns an error when something is outstanding: a request, a tag, a credit.
func (l *Link) Idle() error {
	for _, n := range []struct {
		what  string
		count int
	}{{"DMA requests", l.transfers.used()}, {"segments", l.segments.used()}, {"host accesses", l.accesses.used()}} {
		if n.count != 0 {
			return fmt.Errorf("pcie: %d %s are outstanding", n.count, n.what)
		}
	}
	for _, s := range []*supply{&l.tags, &l.posted, &l.nonPosted, &l.completions} {
		if err := s.idle(); err != nil {
			return err
		}
	}
	return nil
}
