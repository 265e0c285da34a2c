package mmu

// The translation-request interface (specification, "Debug support"): software
// asks for a translation through registers.
const (
	trGo     = 1 << 0
	trPriv   = 1 << 1
	trExec   = 1 << 2
	trNW     = 1 << 3
	trPV     = 1 << 32
	trCtlAll = 0xffffff01_fffff00f
	trFault  = 1 << 0
	trSuper  = 1 << 9
)

// debugWalk is the machine behind tr_req_ctl.
type debugWalk struct{ x *translation }

func (c *iommuCore) writeTrIOVA(v, mask uint64) {
	if c.caps&CapDBG != 0 {
		c.trIOVA = (c.trIOVA&^mask | v&mask) &^ pageMask
	}
}

func (c *iommuCore) writeTrCtl(v, mask uint64) {
	if c.caps&CapDBG == 0 {
		return
	}
	busy := c.trCtl & trGo
	c.trCtl = (c.trCtl&^mask|v&mask)&trCtlAll | busy
	if busy == 0 && c.trCtl&trGo != 0 {
		c.startDebug()
	}
}

func (c *iommuCore) startDebug() {
	v := c.trCtl
	t := Transaction{DID: uint32(v >> 40), PID: uint32(v >> 12 & pidMask), PV: v&trPV != 0,
		Priv: v&trPriv != 0, IOVA: c.trIOVA}
	switch {
	case v&trExec != 0:
		t.Kind = Fetch
	case v&trNW == 0:
		t.Kind = Store
	}
	c.debug.x.Begin(t)
	c.kick(&c.debug)
}

// Resume implements machine.
func (d *debugWalk) Resume(op *MemOp) bool {
	if d.x.Resume(op) {
		return true
	}
	c := d.x.c
	c.trCtl &^= trGo
	if d.x.Cause != 0 {
		c.trResponse = trFault
		c.report(d.x.record(), d.x.hidden())
		return false
	}
	d.x.fill()
	c.trResponse = d.x.response()
	return false
}

// response encodes the translation's page and size: a size beyond 4 KiB sets S
// and the page's low bits to ones below a zero.
func (x *translation) response() uint64 {
	ppn := x.PA >> pageShift
	if x.identity {
		return ppn & ppnMask << 10
	}
	v := uint64(x.walk.PBMTOut) << 7
	if n := x.Shift - pageShift; x.Shift < 64 && n > 0 {
		ppn = ppn&^(1<<n-1) | (1<<(n-1) - 1)
		v |= trSuper
	}
	return v | ppn&ppnMask<<10
}
