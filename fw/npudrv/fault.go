package npudrv

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// Offsets of the INJECT block in BAR0.
var (
	regInjKinds       = abi.Offset(&abi.Inject, "KINDS")
	regInjKind        = abi.Offset(&abi.Inject, "KIND")
	regInjTarget      = abi.Offset(&abi.Inject, "TARGET")
	regInjSpace       = abi.Offset(&abi.Inject, "SPACE")
	regInjInterval    = abi.Offset(&abi.Inject, "INTERVAL")
	regInjTimes       = abi.Offset(&abi.Inject, "TIMES")
	regInjProbability = abi.Offset(&abi.Inject, "PROBABILITY")
	regInjSeed        = abi.Offset(&abi.Inject, "SEED")
	regInjFromLo      = abi.Offset(&abi.Inject, "FROM_LO")
	regInjFromHi      = abi.Offset(&abi.Inject, "FROM_HI")
	regInjToLo        = abi.Offset(&abi.Inject, "TO_LO")
	regInjToHi        = abi.Offset(&abi.Inject, "TO_HI")
	regInjDelay       = abi.Offset(&abi.Inject, "DELAY_US")
	regInjDuration    = abi.Offset(&abi.Inject, "DURATION_NS")
	regInjValueLo     = abi.Offset(&abi.Inject, "VALUE_LO")
	regInjValueHi     = abi.Offset(&abi.Inject, "VALUE_HI")
	regInjArm         = abi.Offset(&abi.Inject, "ARM")
	regInjStatus      = abi.Offset(&abi.Inject, "STATUS")
)

// certain is a probability of 100 %, in millionths.
const certain = 1_000_000

// injection is debugfs's fault_inject of a simulated device: a directory a kind of
// fault, with the settings by the names of the kernel's fault injection. They are
// the driver's until probability is written, which arms a fault with all of them in
// the place of the one that the directory had armed before, so it comes last; 0
// there disarms.
type injection struct {
	d     *Device
	lock  hw.Mutex // over the block's registers
	kinds []*injectable
}

// injectable is a kind with its settings. Of interval, times, value, from, to and
// duration 0 is what the kind has.
type injectable struct {
	x                  *injection
	number             uint32
	kind               abi.InjectKind
	probability        uint32 // millionths; 0: not armed from here
	interval, space    int64
	times, target      int64 // -1: without end; any
	value, from, until int64
	duration           int64 // ns
}

// addInjection makes fault_inject where the device has faults on demand.
func (d *Device) addInjection() {
	if d.info.Platform != abi.PlatformSimulation {
		return
	}
	x := &injection{d: d, lock: d.bus.NewMutex()}
	for i, kind := range abi.InjectKinds {
		k := &injectable{x: x, number: uint32(i + 1), kind: kind, interval: 1, target: -1}
		x.kinds = append(x.kinds, k)
		k.publish("fault_inject/" + kind.Name + "/")
	}
}

// publish makes the kind's files, those apart that it has no use for.
func (k *injectable) publish(dir string) {
	add := func(uses abi.InjectUse, name string, v *int64, least, most int64) {
		if k.kind.Uses&uses == uses {
			k.x.d.DebugAttr(dir+name, number(v, least, most))
		}
	}
	k.x.d.DebugAttr(dir+"probability", fw.Attr{Show: k.showProbability, Store: k.storeProbability})
	add(0, "interval", &k.interval, 0, math.MaxUint32)
	add(0, "times", &k.times, -1, math.MaxInt32)
	add(0, "space", &k.space, 0, math.MaxUint32)
	add(abi.InjectTarget, "target", &k.target, -1, math.MaxUint32-1)
	add(abi.InjectValue, "value", &k.value, 0, math.MaxInt64)
	add(abi.InjectAddress, "from", &k.from, 0, math.MaxInt64)
	add(abi.InjectAddress, "to", &k.until, 0, math.MaxInt64)
	add(abi.InjectDuration, "duration_ns", &k.duration, 0, math.MaxUint32)
}

// number is a setting, decimal or 0x and hexadecimal.
func number(v *int64, least, most int64) fw.Attr {
	return fw.Attr{
		Show: func() ([]byte, error) { return fmt.Appendf(nil, "%d\n", *v), nil },
		Store: func(text []byte) error {
			n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 0, 64)
			if err != nil || n < least || n > most {
				return fmt.Errorf("%q is not a number from %d to %d: %w", text, least, most, unix.EINVAL)
			}
			*v = n
			return nil
		},
	}
}

func (k *injectable) showProbability() ([]byte, error) {
	return fmt.Appendf(nil, "%g\n", float64(k.probability)/(certain/100)), nil
}

// storeProbability takes percent, down to a ten-thousandth.
func (k *injectable) storeProbability(text []byte) error {
	percent, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return fmt.Errorf("probability %q is not one from 0 to 100 percent: %w", text, unix.EINVAL)
	}
	p := uint32(math.Round(percent * (certain / 100)))
	if p == 0 && percent > 0 {
		return fmt.Errorf("probability %q is less than a millionth: %w", text, unix.EINVAL)
	}
	if k.until != 0 && k.until < k.from {
		return fmt.Errorf("addresses from %#x to %#x: %w", k.from, k.until, unix.EINVAL)
	}
	k.x.lock.Lock()
	defer k.x.lock.Unlock()
	_, err = k.x.d.awake(func() ([]byte, error) { return nil, k.command(p) }).Show()
	return err
}

// command arms the fault in the place of the one before, or none with a probability
// of 0. The caller has seen to it that the device is awake.
func (k *injectable) command(p uint32) error {
	d := k.x.d
	switch kinds := d.read(regInjKinds); {
	case kinds == ^uint32(0):
		return fmt.Errorf("fault %s: the device does not answer: %w", k.kind.Name, unix.EIO)
	case kinds < k.number:
		return fmt.Errorf("fault %s: the device knows %d kinds: %w", k.kind.Name, kinds, unix.EOPNOTSUPP)
	}
	d.write(regInjKind, k.number)
	d.write(regInjArm, abi.InjectOff)
	if k.probability = 0; p == 0 {
		return nil
	}
	k.describe(p)
	d.write(regInjArm, abi.InjectArm)
	if k.kind.Uses&abi.InjectUnreadable == 0 && d.read(regInjStatus)&3 == abi.InjectRefused {
		return fmt.Errorf("fault %s: refused: %w", k.kind.Name, unix.EINVAL)
	}
	k.probability = p
	return nil
}

// describe programs the block with the settings. One strike for certain is no
// choice among chances: what needs no chance happens at once.
func (k *injectable) describe(p uint32) {
	d := k.x.d
	interval := uint32(k.interval)
	if interval == 1 {
		interval = 0
	}
	if p == certain && (k.times == 0 || k.times == 1) {
		p = 0
	}
	for _, w := range []struct {
		off uint64
		v   uint32
	}{
		{regInjKind, k.number}, {regInjTarget, uint32(k.target + 1)}, {regInjSpace, uint32(k.space)},
		{regInjInterval, interval}, {regInjTimes, uint32(k.times)}, {regInjProbability, p},
		{regInjSeed, 0}, {regInjDelay, 0}, {regInjDuration, uint32(k.duration)},
	} {
		d.write(w.off, w.v)
	}
	d.writePair(regInjFromLo, regInjFromHi, uint64(k.from))
	d.writePair(regInjToLo, regInjToHi, uint64(k.until))
	d.writePair(regInjValueLo, regInjValueHi, uint64(k.value))
}
