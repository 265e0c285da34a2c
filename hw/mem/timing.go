package mem

// timing is a row of a device's parameters in memory clocks (nanoseconds only
// through the clock). Names are JEDEC's without the t: RCDRD and RCDWR are
// equal where a standard has one RCD. A zero means that the standard has no
// such rule.
type timing struct {
	BL, CL, CWL          int64 // data burst, read and write latency
	RCDRD, RCDWR         int64 // activate to column
	RP, RPab             int64 // precharge of one bank, of all
	RAS, RC              int64
	CCDS, CCDL, CCDR     int64 // column to column: other group, same group, other stack
	CCDSWR, CCDLWR       int64 // the same among writes
	RRDS, RRDL, FAW      int64 // activate to activate, four activates
	WR, RTP              int64 // write recovery, read to precharge
	WTRS, WTRL, RTW      int64 // turnarounds; RTW 0: from latencies and RTWGap
	RTWGap, CS, PPD      int64 // bubble read to write, rank switch, precharge to precharge
	REFI, RFC            int64 // all-bank refresh
	REFIpb, RFCpb, RREFD int64 // per-bank refresh
	PBR2PBR, PBR2ACT     int64 // LPDDR5: refresh of a bank to the next, to an activate
	BLmax, WCKPST, AAD   int64 // LPDDR5: array cycle, clock postamble, ACT-1 to ACT-2
}

type param struct {
	name string
	at   func(*timing) *int64
}

// params names the fields of timing for overrides and messages, in the order
// of checking.
var params = []param{
	{"nBL", func(t *timing) *int64 { return &t.BL }},
	{"nCL", func(t *timing) *int64 { return &t.CL }},
	{"nCWL", func(t *timing) *int64 { return &t.CWL }},
	{"nRCDRD", func(t *timing) *int64 { return &t.RCDRD }},
	{"nRCDWR", func(t *timing) *int64 { return &t.RCDWR }},
	{"nRP", func(t *timing) *int64 { return &t.RP }},
	{"nRAS", func(t *timing) *int64 { return &t.RAS }},
	{"nRC", func(t *timing) *int64 { return &t.RC }},
	{"nCCDS", func(t *timing) *int64 { return &t.CCDS }},
	{"nCCDL", func(t *timing) *int64 { return &t.CCDL }},
	{"nCCDR", func(t *timing) *int64 { return &t.CCDR }},
	{"nRRDS", func(t *timing) *int64 { return &t.RRDS }},
	{"nRRDL", func(t *timing) *int64 { return &t.RRDL }},
	{"nFAW", func(t *timing) *int64 { return &t.FAW }},
	{"nWR", func(t *timing) *int64 { return &t.WR }},
	{"nRTP", func(t *timing) *int64 { return &t.RTP }},
	{"nWTRS", func(t *timing) *int64 { return &t.WTRS }},
	{"nWTRL", func(t *timing) *int64 { return &t.WTRL }},
	{"nRTW", func(t *timing) *int64 { return &t.RTW }},
	{"nPPD", func(t *timing) *int64 { return &t.PPD }},
	{"nREFI", func(t *timing) *int64 { return &t.REFI }},
	{"nRFC", func(t *timing) *int64 { return &t.RFC }},
	{"nREFIpb", func(t *timing) *int64 { return &t.REFIpb }},
	{"nRFCpb", func(t *timing) *int64 { return &t.RFCpb }},
}

// standard says which rules of the protocol apply.
type standard uint8

const (
	ddr4 standard = iota
	ddr5
	lpddr5
	gddr6
	hbm2
	hbm3
	hbm4
)

// device is a row of the preset table: one memory device with its controller.
type device struct {
	name     string
	std      standard
	channels int    // of the device
	rank     [2]int // bits of the rank field: rank or pseudo-channel, stack id above it
	bits     [4]int // bits of bank group, bank, row, column (in transactions)
	tx       int64  // bytes of a transaction
	rate     int64  // megatransfers a second and pin
	width    int64  // data pins of a channel
	tCK      int64  // memory clock in ps
	entries  [2]int // read, write buffer entries a channel
	t        timing
}

// devices is the preset table. Timings are those of Ramulator 2.1 (commit
// c5b1c3a, python/ramulator/dram), which cites JEDEC's tables; those of HBM2E
// are HBM2's nanoseconds at a faster clock, as JESD235D leaves them to vendors.
var devices = []device{
	{name: "DDR4_2400U", std: ddr4, channels: 1, bits: [4]int{2, 2, 16, 7}, tx: 64, rate: 2400, width: 64, tCK: 833, entries: [2]int{32, 32},
		t: timing{BL: 4, CL: 17, CWL: 12, RCDRD: 17, RCDWR: 17, RP: 17, RPab: 17, RAS: 39, RC: 56, CCDS: 4, CCDL: 6, CCDSWR: 4, CCDLWR: 6,
			RRDS: 4, RRDL: 6, FAW: 26, WR: 18, RTP: 9, WTRS: 3, WTRL: 9, RTWGap: 2, CS: 2, REFI: 9360, RFC: 420}},
	{name: "DDR4_3200AA", std: ddr4, channels: 1, bits: [4]int{2, 2, 16, 7}, tx: 64, rate: 3200, width: 64, tCK: 625, entries: [2]int{32, 32},
		t: timing{BL: 4, CL: 22, CWL: 16, RCDRD: 22, RCDWR: 22, RP: 22, RPab: 22, RAS: 52, RC: 74, CCDS: 4, CCDL: 8, CCDSWR: 4, CCDLWR: 8,
			RRDS: 4, RRDL: 8, FAW: 34, WR: 24, RTP: 12, WTRS: 4, WTRL: 12, RTWGap: 2, CS: 2, REFI: 12480, RFC: 560}},
	{name: "DDR5_4800BN", std: ddr5, channels: 1, bits: [4]int{3, 2, 16, 6}, tx: 64, rate: 4800, width: 32, tCK: 416, entries: [2]int{32, 32},
		t: timing{BL: 8, CL: 36, CWL: 34, RCDRD: 36, RCDWR: 36, RP: 36, RPab: 36, RAS: 77, RC: 113, CCDS: 8, CCDL: 12, CCDSWR: 8, CCDLWR: 48,
			RRDS: 8, RRDL: 12, FAW: 48, WR: 72, RTP: 18, WTRS: 6, WTRL: 24, RTWGap: 4, CS: 2, PPD: 2, REFI: 9375, RFC: 710}},
	{name: "LPDDR5_6400", std: lpddr5, channels: 1, bits: [4]int{2, 2, 16, 6}, tx: 32, rate: 6400, width: 16, tCK: 1250, entries: [2]int{32, 32},
		t: timing{BL: 2, BLmax: 4, CL: 17, CWL: 9, RCDRD: 15, RCDWR: 15, RP: 15, RPab: 17, RAS: 34, RC: 49, CCDS: 2, CCDL: 4, CCDSWR: 2, CCDLWR: 4,
			RRDS: 4, RRDL: 4, FAW: 16, WR: 28, RTP: 8, WTRS: 5, WTRL: 10, RTWGap: 2, CS: 2, PPD: 2, REFI: 3125, RFC: 224,
			REFIpb: 391, RFCpb: 112, PBR2PBR: 72, PBR2ACT: 6, WCKPST: 1, AAD: 8}},
	{name: "GDDR6_14000", std: gddr6, channels: 1, bits: [4]int{2, 2, 14, 6}, tx: 32, rate: 14000, width: 16, tCK: 570, entries: [2]int{32, 32},
		t: timing{BL: 2, CL: 24, CWL: 6, RCDRD: 27, RCDWR: 16, RP: 27, RPab: 27, RAS: 53, RC: 79, CCDS: 2, CCDL: 4, CCDSWR: 2, CCDLWR: 4,
			RRDS: 8, RRDL: 8, FAW: 29, WR: 27, RTP: 4, WTRS: 9, WTRL: 11, RTW: 25, PPD: 1, REFI: 3333, RFC: 211,
			REFIpb: 208, RFCpb: 106, RREFD: 15}},
	{name: "HBM2_2000_1ch", std: hbm2, channels: 1, rank: [2]int{1, 0}, bits: [4]int{2, 2, 16, 5}, tx: 32, rate: 2000, width: 128, tCK: 1000, entries: [2]int{64, 64}, t: hbm2At2000},
	{name: "HBM2_2000_8ch", std: hbm2, channels: 8, rank: [2]int{1, 0}, bits: [4]int{2, 2, 16, 5}, tx: 32, rate: 2000, width: 128, tCK: 1000, entries: [2]int{64, 64}, t: hbm2At2000},
	{name: "HBM2E_3200_1ch", std: hbm2, channels: 1, rank: [2]int{1, 0}, bits: [4]int{2, 2, 16, 5}, tx: 32, rate: 3200, width: 128, tCK: 625, entries: [2]int{64, 64},
		t: timing{BL: 2, CL: 23, CWL: 8, RCDRD: 23, RCDWR: 20, RP: 23, RPab: 23, RAS: 55, RC: 77, CCDS: 2, CCDL: 4, CCDSWR: 2, CCDLWR: 4,
			RRDS: 7, RRDL: 7, FAW: 24, WR: 26, RTP: 8, WTRS: 10, WTRL: 13, RTWGap: 2, REFI: 6240, RFC: 560, REFIpb: 195, RFCpb: 256, RREFD: 13}},
	{name: "HBM2E_3600_1ch", std: hbm2, channels: 1, rank: [2]int{1, 0}, bits: [4]int{2, 2, 16, 5}, tx: 32, rate: 3600, width: 128, tCK: 556, entries: [2]int{64, 64},
		t: timing{BL: 2, CL: 26, CWL: 9, RCDRD: 26, RCDWR: 22, RP: 26, RPab: 26, RAS: 62, RC: 87, CCDS: 2, CCDL: 4, CCDSWR: 2, CCDLWR: 4,
			RRDS: 8, RRDL: 8, FAW: 27, WR: 29, RTP: 9, WTRS: 11, WTRL: 15, RTWGap: 2, REFI: 7015, RFC: 630, REFIpb: 220, RFCpb: 288, RREFD: 15}},
	{name: "HBM3_6400_1ch", std: hbm3, channels: 1, rank: [2]int{1, 1}, bits: [4]int{2, 2, 14, 5}, tx: 32, rate: 6400, width: 64, tCK: 625, entries: [2]int{128, 64}, t: hbm3At6400},
	{name: "HBM3_6400_16ch", std: hbm3, channels: 16, rank: [2]int{1, 1}, bits: [4]int{2, 2, 14, 5}, tx: 32, rate: 6400, width: 64, tCK: 625, entries: [2]int{128, 64}, t: hbm3At6400},
	{name: "HBM4_8000_1ch", std: hbm4, channels: 1, rank: [2]int{1, 1}, bits: [4]int{1, 3, 14, 5}, tx: 32, rate: 8000, width: 64, tCK: 500, entries: [2]int{64, 64},
		t: timing{BL: 2, CL: 20, CWL: 10, RCDRD: 39, RCDWR: 19, RP: 33, RPab: 33, RAS: 57, RC: 90, CCDS: 2, CCDL: 4, CCDR: 2, CCDSWR: 2, CCDLWR: 4,
			RRDS: 5, RRDL: 7, FAW: 30, WR: 42, RTP: 12, WTRS: 9, WTRL: 13, RTW: 25, PPD: 2, REFI: 7800, RFC: 900, REFIpb: 244, RFCpb: 560, RREFD: 16}},
}

var hbm2At2000 = timing{BL: 2, CL: 14, CWL: 5, RCDRD: 14, RCDWR: 12, RP: 14, RPab: 14, RAS: 34, RC: 48, CCDS: 2, CCDL: 4, CCDSWR: 2, CCDLWR: 4,
	RRDS: 4, RRDL: 4, FAW: 15, WR: 16, RTP: 5, WTRS: 6, WTRL: 8, RTWGap: 2, REFI: 3900, RFC: 350, REFIpb: 122, RFCpb: 160, RREFD: 8}

var hbm3At6400 = timing{BL: 2, CL: 20, CWL: 10, RCDRD: 31, RCDWR: 15, RP: 26, RPab: 26, RAS: 45, RC: 72, CCDS: 2, CCDL: 4, CCDR: 3, CCDSWR: 2, CCDLWR: 4,
	RRDS: 4, RRDL: 5, FAW: 24, WR: 33, RTP: 9, WTRS: 7, WTRL: 10, RTW: 20, PPD: 2, REFI: 6240, RFC: 560, REFIpb: 195, RFCpb: 320, RREFD: 8}

// deviceNamed returns the preset of a name, nil if there is none.
func deviceNamed(name string) *device {
	for i := range devices {
		if devices[i].name == name {
			return &devices[i]
		}
	}
	return nil
}

// Devices returns the names of the presets.
func Devices() []string {
	names := make([]string, len(devices))
	for i := range devices {
		names[i] = devices[i].name
	}
	return names
}
