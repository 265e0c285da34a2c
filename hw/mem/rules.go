package mem

// rules are a device's timing rules in ticks (command slots), from the first
// slot of one command to the first slot of the next. JEDEC counts from the end
// of a command, so commands longer than one slot shift the distance by the
// difference of their lengths.
type rules struct {
	dual    bool  // a row bus and a column bus (HBM)
	rising  bool  // columns, activates and refreshes start on odd ticks alone (HBM3, HBM4)
	split   bool  // activates in two commands, and the data clock is synchronised (LPDDR5)
	tickDiv int64 // ticks a memory clock

	actLen, colLen int64 // slots of an activate, of a column command

	readLatency                          int64 // column command to last data
	writeAck                             int64 // arrival in the write buffer to the requester's knowing
	rcdRD, rcdWR, ras, rc                int64
	rp, rpAll                            int64
	rrdS, rrdL, faw                      int64
	ppd                                  int64
	actToRefresh, preToRefresh           int64
	rfcToAct, rfc                        int64 // refresh to activate; to precharge-all
	burstLen                             int64 // data bus, read after read and write after write
	readS, readL, readR                  int64 // read to read: other group, same group, other stack
	writeS, writeL                       int64
	readToWrite                          int64
	writeToReadS, writeToReadL           int64
	readToPre, writeToPre                int64
	readToAct, writeToAct                int64 // with auto-precharge
	refi, rfcPBToAct, refToAct, refToRef int64 // per-bank refresh: to an activate of the bank, of another; to the next

	clockHold, clockHoldWrite, act2Within int64 // LPDDR5: column to the data clock's stop; ACT-1 to ACT-2 at most
}

// lengths of activate and column commands in ticks, by standard.
var lengths = [...]struct{ act, col, div int64 }{
	ddr4: {1, 1, 1}, ddr5: {2, 2, 1}, lpddr5: {1, 1, 1}, gddr6: {1, 1, 1},
	hbm2: {2, 1, 1}, hbm3: {3, 2, 2}, hbm4: {3, 2, 2},
}

// compile turns parameters in clocks into rules in ticks.
func (t timing) compile(std standard) *rules {
	n := lengths[std]
	for _, p := range params {
		*p.at(&t) *= n.div
	}
	for _, v := range []*int64{&t.RPab, &t.CCDSWR, &t.CCDLWR, &t.RTWGap, &t.RREFD} {
		*v *= n.div
	}
	blMax, rtw := max(t.BL, t.BLmax), t.RTW
	if rtw == 0 {
		rtw = t.CL + t.BL + t.RTWGap - t.CWL
	}
	a, c := n.act, n.col
	return &rules{
		dual: std >= hbm2, rising: std >= hbm3, split: std == lpddr5, tickDiv: n.div,
		actLen: a, colLen: c, readLatency: t.CL + t.BL, writeAck: t.CWL + t.BL,
		rcdRD: t.RCDRD + a - c, rcdWR: t.RCDWR + a - c, ras: t.RAS + a - 1, rc: t.RC,
		rp: t.RP + 1 - a, rpAll: t.RPab + 1 - a, rrdS: t.RRDS, rrdL: t.RRDL, faw: t.FAW, ppd: t.PPD,
		actToRefresh: t.RC + a - 1, preToRefresh: t.RP, rfcToAct: t.RFC + 1 - a, rfc: t.RFC,
		burstLen: t.BL, readS: t.CCDS, readL: t.CCDL, readR: t.CCDR, writeS: t.CCDSWR, writeL: t.CCDLWR,
		readToWrite: rtw, writeToReadS: t.CWL + t.BL + t.WTRS, writeToReadL: t.CWL + blMax + t.WTRL,
		readToPre: t.RTP + c - 1, writeToPre: t.CWL + t.BL + t.WR + c - 1,
		readToAct: t.RTP + t.RP + c - a, writeToAct: t.CWL + t.BL + t.WR + t.RP + c - a,
		refi: t.REFI, rfcPBToAct: t.RFCpb + 1 - a, refToAct: max(t.RREFD, t.PBR2ACT) + 1 - a, refToRef: max(t.RREFD, t.PBR2PBR),
		clockHold: t.CL + t.BL + t.WCKPST, clockHoldWrite: t.CWL + t.BL + t.WCKPST, act2Within: t.AAD,
	}
}
