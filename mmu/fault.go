package mmu

import "encoding/binary"

// Cause is the CAUSE field of a fault record (IOMMU specification, table
// "Fault record CAUSE field encodings").
type Cause uint16

// Causes.
const (
	FetchAccessFault Cause = 1
	LoadAccessFault  Cause = 5
	StoreAccessFault Cause = 7
	FetchPageFault   Cause = 12
	LoadPageFault    Cause = 13
	StorePageFault   Cause = 15
	FetchGuestFault  Cause = 20
	LoadGuestFault   Cause = 21
	StoreGuestFault  Cause = 23
	AllDisallowed    Cause = 256
	DDTAccessFault   Cause = 257
	DDTNotValid      Cause = 258
	DDTMisconfigured Cause = 259
	TypeDisallowed   Cause = 260
	PDTAccessFault   Cause = 265
	PDTNotValid      Cause = 266
	PDTMisconfigured Cause = 267
	DDTCorrupted     Cause = 268
	PDTCorrupted     Cause = 269
	MSIAccessFault   Cause = 273
	PTCorrupted      Cause = 274
)

// byAccess has the causes that depend on the access: fetch, load, store.
var byAccess = [...][3]Cause{
	Load:    {LoadAccessFault, LoadPageFault, LoadGuestFault},
	Store:   {StoreAccessFault, StorePageFault, StoreGuestFault},
	Fetch:   {FetchAccessFault, FetchPageFault, FetchGuestFault},
	Command: {LoadAccessFault, LoadPageFault, LoadGuestFault},
}

// causeOf returns the cause of a walk's fault for an access.
func causeOf(kind Access, f FaultKind) Cause {
	switch f {
	case FaultPoison:
		return PTCorrupted
	case FaultAccess:
		return byAccess[kind][0]
	case FaultGuestPage:
		return byAccess[kind][2]
	}
	return byAccess[kind][1]
}

// Transaction types of a fault record (TTYP).
const (
	TTYPNone         = 0
	TTYPUntranslated = 1 // + 0 fetch, 1 read, 2 write
	TTYPTranslated   = 5 // likewise
	TTYPATS          = 8
	TTYPMessage      = 9
)

// ttypOffset orders accesses as TTYP does.
var ttypOffset = [...]uint8{Fetch: 0, Load: 1, Store: 2, Command: 1}

// FaultBytes is the size of a fault record.
const FaultBytes = 32

// FaultRecord is one entry of a fault queue, in the IOMMU's format; the
// device's fault ring uses the same with the ASID as PID.
type FaultRecord struct {
	Cause   Cause
	PID     uint32 // 20 bits, valid with PV
	PV      bool
	Priv    bool
	TTYP    uint8
	DID     uint32 // 24 bits
	Iotval  uint64 // the address of the access
	Iotval2 uint64 // guest-page faults: the guest physical address, implicit in bit 0, write in bit 1
}

// Encode lays the record out.
func (f FaultRecord) Encode() (p [FaultBytes]byte) {
	w := uint64(f.Cause)&0xfff | uint64(f.PID)&0xfffff<<12 | bit(f.PV, 32) | bit(f.Priv, 33) |
		uint64(f.TTYP)&0x3f<<34 | uint64(f.DID)&0xffffff<<40
	binary.LittleEndian.PutUint64(p[0:], w)
	binary.LittleEndian.PutUint64(p[16:], f.Iotval)
	binary.LittleEndian.PutUint64(p[24:], f.Iotval2)
	return p
}

// DecodeFault reads a record back.
func DecodeFault(p []byte) FaultRecord {
	w := binary.LittleEndian.Uint64(p)
	return FaultRecord{
		Cause: Cause(w & 0xfff), PID: uint32(w >> 12 & 0xfffff), PV: w>>32&1 != 0, Priv: w>>33&1 != 0,
		TTYP: uint8(w >> 34 & 0x3f), DID: uint32(w >> 40),
		Iotval: binary.LittleEndian.Uint64(p[16:]), Iotval2: binary.LittleEndian.Uint64(p[24:]),
	}
}

func bit(b bool, n uint) uint64 {
	if b {
		return 1 << n
	}
	return 0
}
