package mmu

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRecentIsWhatTheCachesSay holds an IOMMU that remembers where the directories led
// last against one that looks it up each time: the same answers, and the same entries
// in the caches.
func TestRecentIsWhatTheCachesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultIOMMUConfig()
		cfg.DDTEntries, cfg.PDTEntries = rapid.IntRange(1, 3).Draw(t, "ddt"), rapid.IntRange(1, 3).Draw(t, "pdt")
		a, b := newIOMMUCore(cfg, DefaultCapabilities), newIOMMUCore(cfg, DefaultCapabilities)
		both := func(f func(c *iommuCore)) { f(a); f(b) }
		both(func(c *iommuCore) { c.writeDDTP(DDT1Level, ^uint64(0)) })
		draw := func(name string, of ...uint64) uint64 { return rapid.SampledFrom(of).Draw(t, name) }
		var did, pid uint64
		for range rapid.IntRange(50, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "another") {
				did, pid = draw("device", 1, 2), draw("process", 0, 1)
			}
			switch draw("what", 0, 1, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5) {
			case 0:
				d := deviceContext{tc: DCValid | draw("tc", 0, DCPDTV, DCPDTV|DCDPE), ta: did << 12, fsc: ModeSv39 << 60}
				if d.has(DCPDTV) {
					d.fsc = PD8 << 60
				}
				both(func(c *iommuCore) { c.ddt.insert(did, knownDevice{d, spaceOf(&Transaction{}, &d, nil)}) })
			case 1:
				d := deviceContext{tc: DCValid | DCPDTV, fsc: PD8 << 60}
				p := processContext{ta: PCValid | draw("ta", 0, PCENS, PCENS|PCSUM) | (8+pid)<<12, fsc: ModeSv39 << 60}
				both(func(c *iommuCore) {
					c.pdt.insert(pdtKey(uint32(did), uint32(pid)), knownProcess{p, spaceOf(&Transaction{}, &d, &p)})
				})
			case 2:
				both(func(c *iommuCore) { c.ddt.drop(did, ^uint64(0)) })
			case 3:
				both(func(c *iommuCore) { c.pdt.drop(pdtKey(uint32(did), uint32(pid)), ^uint64(0)) })
			case 4:
				mode := draw("mode", DDTOff, DDTBare, DDT1Level, DDT1Level)
				both(func(c *iommuCore) { c.writeDDTP(mode, ^uint64(0)) })
			default:
				x := Transaction{DID: uint32(did), PID: uint32(pid), PV: draw("pv", 0, 1, 1) == 1, IOVA: 4 << pageShift}
				x.Priv = x.PV && rapid.Bool().Draw(t, "priv")
				b.recent = recent{}
				both(func(c *iommuCore) { c.lookup(&x) })
				if a.mode() != DDTBare {
					require.Equal(t, b.recent.space, a.recent.space)
				}
			}
			require.Equal(t, b.ddt.keys, a.ddt.keys)
			require.Equal(t, b.pdt.keys, a.pdt.keys)
		}
	})
}
