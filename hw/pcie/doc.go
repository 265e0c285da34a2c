// Package pcie is the device's way to its host: a PCI Express link at the level
// of transactions, and the PCI function behind it.
//
// Link joins two ends. The device's end implements hw.Host: DMA in bus
// addresses and interrupts. The host's end carries MMIO and configuration
// accesses to an hw.Function and hands DMA to a root complex. In between are
// what a transaction costs on the wire (headers, payload splitting, the share
// of DLLPs and ordered sets), tags, flow-control credits, the ordering rules
// and a round trip.
//
// Function is the PCI function itself: type-0 configuration space with its
// capabilities, BARs, MSI-X, error reporting, power states and function-level
// reset. It takes no time and works behind any hw.Host.
//
// The wire's arithmetic is that of "Understanding PCIe performance for end host
// networking" (Neugebauer et al., SIGCOMM 2018) with the limits of the PCI
// Express Base Specification 5.0; section numbers in this package are of that
// revision. DEVIATIONS.md lists what differs from a real link.
package pcie
