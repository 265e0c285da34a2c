/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the register tables; do not edit. */
#ifndef PRESI_REGS_H
#define PRESI_REGS_H

/* IDENT: Identification, capabilities, reset and interrupts. Capabilities are fixed by the machine. */
#define PRESI_IDENT_BLOCK_BASE 0x0 /* offset in the BAR */
#define PRESI_IDENT_BLOCK_SIZE 0x1000 /* bytes */

#define PRESI_IDENT_ID 0x0 /* 32 bits, RO: Device id in the high half, vendor id in the low half. */

#define PRESI_IDENT_HW_VERSION 0x4 /* 32 bits, RO: Version of the hardware; also the PCI revision. */

#define PRESI_IDENT_ABI_VERSION 0x8 /* 32 bits, RO: Version of this register interface. */

#define PRESI_IDENT_PLATFORM 0xc /* 32 bits, fields: What the device runs on; drivers scale their time-outs by it. */
#define PRESI_IDENT_PLATFORM_TYPE_MASK 0x3U /* RO: Platform type. */
#define PRESI_IDENT_PLATFORM_TYPE_SHIFT 0
#define PRESI_IDENT_PLATFORM_TYPE_SILICON 0x0U
#define PRESI_IDENT_PLATFORM_TYPE_EMULATION 0x1U
#define PRESI_IDENT_PLATFORM_TYPE_SIMULATION 0x2U

#define PRESI_IDENT_CAP_CORES 0x10 /* 32 bits, RO: Compute cores. */

#define PRESI_IDENT_CAP_QUEUES 0x14 /* 32 bits, RO: Command queues. */

#define PRESI_IDENT_CAP_DMA 0x18 /* 32 bits, RO: DMA channels. */

#define PRESI_IDENT_CAP_ARRAY 0x1c /* 32 bits, fields: Systolic array of each core. */
#define PRESI_IDENT_CAP_ARRAY_ROWS_MASK 0xffffU /* RO: Rows of processing elements. */
#define PRESI_IDENT_CAP_ARRAY_ROWS_SHIFT 0
#define PRESI_IDENT_CAP_ARRAY_COLS_MASK 0xffff0000U /* RO: Columns of processing elements. */
#define PRESI_IDENT_CAP_ARRAY_COLS_SHIFT 16

#define PRESI_IDENT_CAP_VECTOR 0x20 /* 32 bits, RO: Lanes of each core's vector unit. */

#define PRESI_IDENT_CAP_DTYPES 0x24 /* 32 bits, RO: Element types, a bit per DTYPE number. */

#define PRESI_IDENT_CAP_MEM_SIZE 0x28 /* 64 bits, RO: Device memory in bytes. */

#define PRESI_IDENT_CAP_BAR2_SIZE 0x30 /* 64 bits, RO: Bytes of device memory, from 0, that BAR2 shows. */

#define PRESI_IDENT_CAP_SPAD_SIZE 0x38 /* 64 bits, RO: Scratchpad of each core in bytes. */

#define PRESI_IDENT_CAP_CORE_HZ 0x40 /* 64 bits, RO: Core clock in hertz. */

#define PRESI_IDENT_CAP_TIMESTAMP_HZ 0x48 /* 64 bits, RO: Rate of TIMESTAMP in hertz. */

#define PRESI_IDENT_CAP_PAGE_SIZES 0x50 /* 32 bits, RO: Page sizes of the device MMU, a bit per power of two. */

#define PRESI_IDENT_CAP_VA_BITS 0x54 /* 32 bits, RO: Bits of a context address (Sv48, the lower half). */

#define PRESI_IDENT_CAP_RING_LOG2 0x58 /* 32 bits, RO: Largest ring, log2 of entries. */

#define PRESI_IDENT_CAP_CONTEXTS 0x5c /* 32 bits, RO: Contexts (ASIDs). */

#define PRESI_IDENT_DOORBELL_OFFSET 0x60 /* 32 bits, RO: Offset of queue 0's doorbell page in BAR0. */

#define PRESI_IDENT_DOORBELL_STRIDE 0x64 /* 32 bits, RO: Bytes from a queue's doorbell page to the next. */

#define PRESI_IDENT_RESET_CTRL 0x80 /* 32 bits, fields: Starts a reset: halt, await outstanding completions, reset, epoch + 1. Ignored while one of the same or a wider domain is busy; a wider one takes a narrower one's place. */
#define PRESI_IDENT_RESET_CTRL_DOMAIN_MASK 0xfU /* WO: What to reset. */
#define PRESI_IDENT_RESET_CTRL_DOMAIN_SHIFT 0
#define PRESI_IDENT_RESET_CTRL_DOMAIN_QUEUE 0x1U
#define PRESI_IDENT_RESET_CTRL_DOMAIN_ENGINE 0x2U
#define PRESI_IDENT_RESET_CTRL_DOMAIN_COMPUTE 0x3U
#define PRESI_IDENT_RESET_CTRL_INDEX_MASK 0xff00U /* WO: Queue or engine. */
#define PRESI_IDENT_RESET_CTRL_INDEX_SHIFT 8

#define PRESI_IDENT_RESET_STATUS 0x84 /* 32 bits, fields: Progress of the last reset. */
#define PRESI_IDENT_RESET_STATUS_STATE_MASK 0x3U /* RO: State. */
#define PRESI_IDENT_RESET_STATUS_STATE_SHIFT 0
#define PRESI_IDENT_RESET_STATUS_STATE_IDLE 0x0U
#define PRESI_IDENT_RESET_STATUS_STATE_BUSY 0x1U
#define PRESI_IDENT_RESET_STATUS_STATE_DONE 0x2U
#define PRESI_IDENT_RESET_STATUS_STATE_FAILED 0x3U

#define PRESI_IDENT_RESET_ASIDS 0x88 /* 64 bits, RO: ASIDs below 64 whose work the last reset ended, a bit each. */

#define PRESI_IDENT_IRQ_CAUSE 0x100 /* 32 bits, fields: Causes of vector 0; write 1 to clear. */
#define PRESI_IDENT_IRQ_CAUSE_FAULT_MASK 0x1U /* W1C: A record was written to the fault ring. */
#define PRESI_IDENT_IRQ_CAUSE_FAULT_SHIFT 0
#define PRESI_IDENT_IRQ_CAUSE_RESET_MASK 0x2U /* W1C: A reset has finished. */
#define PRESI_IDENT_IRQ_CAUSE_RESET_SHIFT 1
#define PRESI_IDENT_IRQ_CAUSE_THERMAL_MASK 0x4U /* W1C: A thermal limit was crossed. */
#define PRESI_IDENT_IRQ_CAUSE_THERMAL_SHIFT 2
#define PRESI_IDENT_IRQ_CAUSE_MAILBOX_MASK 0x8U /* W1C: The management controller has answered. */
#define PRESI_IDENT_IRQ_CAUSE_MAILBOX_SHIFT 3
#define PRESI_IDENT_IRQ_CAUSE_MEMORY_MASK 0x10U /* W1C: Uncorrectable error of device memory. */
#define PRESI_IDENT_IRQ_CAUSE_MEMORY_SHIFT 4
#define PRESI_IDENT_IRQ_CAUSE_MGMT_MASK 0x20U /* W1C: The management controller has failed. */
#define PRESI_IDENT_IRQ_CAUSE_MGMT_SHIFT 5
#define PRESI_IDENT_IRQ_CAUSE_QUEUE_MASK 0x40U /* W1C: A queue entered ERROR. */
#define PRESI_IDENT_IRQ_CAUSE_QUEUE_SHIFT 6

#define PRESI_IDENT_IRQ_MASK 0x104 /* 32 bits, RW: Causes that raise vector 0, as in IRQ_CAUSE. */

#define PRESI_IDENT_IRQ_MODERATION 0x108 /* 32 bits, fields: Moderation of completion interrupts, for every queue. */
#define PRESI_IDENT_IRQ_MODERATION_COUNT_MASK 0xffU /* RW: Completions that raise an interrupt at once; 0 and 1: each. */
#define PRESI_IDENT_IRQ_MODERATION_COUNT_SHIFT 0
#define PRESI_IDENT_IRQ_MODERATION_TIME_US_MASK 0xffff0000U /* RW: Longest delay of an interrupt in µs. */
#define PRESI_IDENT_IRQ_MODERATION_TIME_US_SHIFT 16

#define PRESI_IDENT_TIMESTAMP 0x110 /* 64 bits, RO: Device time in ns since power-on. */

#define PRESI_IDENT_DROPPED 0x118 /* 32 bits, RO: Writes that were dropped: not an aligned 4-byte write, or to no register. */

/* MMU: Device MMU: context table, invalidation and the fault ring. */
#define PRESI_MMU_BLOCK_BASE 0x1000 /* offset in the BAR */
#define PRESI_MMU_BLOCK_SIZE 0x1000 /* bytes */

#define PRESI_MMU_CTX_BASE_LO 0x0 /* 32 bits, RW: Physical address of the context table (bit 55 of the whole: device memory). */

#define PRESI_MMU_CTX_BASE_HI 0x4 /* 32 bits, RW: High half; writing it latches the base. */

#define PRESI_MMU_INV_ASID 0x10 /* 32 bits, RW: Context to invalidate; ALL ones for every context. */

#define PRESI_MMU_INV_ADDR_LO 0x14 /* 32 bits, RW: First address. */

#define PRESI_MMU_INV_ADDR_HI 0x18 /* 32 bits, RW: High half. */

#define PRESI_MMU_INV_SIZE_LO 0x1c /* 32 bits, RW: Bytes; 0 for the whole context. */

#define PRESI_MMU_INV_SIZE_HI 0x20 /* 32 bits, RW: High half. */

#define PRESI_MMU_INV_CMD 0x24 /* 32 bits, WO: Starts the invalidation; it takes the next sequence number, beginning with 1. */

#define PRESI_MMU_INV_DONE 0x28 /* 32 bits, RO: Sequence number of the last finished invalidation: entries are dropped, earlier walks discarded, and accesses already translated have completed. */

#define PRESI_MMU_FAULT_BASE_LO 0x40 /* 32 bits, RW: Bus address of the fault ring (records of 32 bytes). */

#define PRESI_MMU_FAULT_BASE_HI 0x44 /* 32 bits, RW: High half. */

#define PRESI_MMU_FAULT_LOG2 0x48 /* 32 bits, RW: Records of the ring, log2; writing it empties and enables the ring, 0 disables it. */

#define PRESI_MMU_FAULT_HEAD 0x4c /* 32 bits, RW: Next record software reads. */

#define PRESI_MMU_FAULT_TAIL 0x50 /* 32 bits, RO: Next record the device writes. */

#define PRESI_MMU_FAULT_STATUS 0x54 /* 32 bits, fields: State of the fault ring. */
#define PRESI_MMU_FAULT_STATUS_OVERFLOW_MASK 0x1U /* W1C: A record was lost: the ring was full or disabled. */
#define PRESI_MMU_FAULT_STATUS_OVERFLOW_SHIFT 0
#define PRESI_MMU_FAULT_STATUS_WRITE_ERROR_MASK 0x2U /* W1C: A record could not be written. */
#define PRESI_MMU_FAULT_STATUS_WRITE_ERROR_SHIFT 1

/* TELEMETRY: Counters since power-on, latched together by a write to SNAPSHOT. In the order of the uAPI's telemetry. */
#define PRESI_TELEMETRY_BLOCK_BASE 0x2000 /* offset in the BAR */
#define PRESI_TELEMETRY_BLOCK_SIZE 0x1000 /* bytes */

#define PRESI_TELEMETRY_SNAPSHOT 0x0 /* 32 bits, WO: Latches all counters. */

#define PRESI_TELEMETRY_TIMESTAMP_NS 0x8 /* 64 bits, RO: Device time of the snapshot. */

#define PRESI_TELEMETRY_CORE_BUSY_NS 0x10 /* 64 bits, RO: Time with a kernel running, summed over cores. */

#define PRESI_TELEMETRY_DMA_BUSY_NS 0x18 /* 64 bits, RO: Time with a copy running, summed over channels. */

#define PRESI_TELEMETRY_LINK_RX_BYTES 0x20 /* 64 bits, RO: Payload the device received over the link. */

#define PRESI_TELEMETRY_LINK_TX_BYTES 0x28 /* 64 bits, RO: Payload the device sent over the link. */

#define PRESI_TELEMETRY_MEM_READ_BYTES 0x30 /* 64 bits, RO: Bytes read from device memory. */

#define PRESI_TELEMETRY_MEM_WRITE_BYTES 0x38 /* 64 bits, RO: Bytes written to device memory. */

#define PRESI_TELEMETRY_JOBS_COMPLETED 0x40 /* 64 bits, RO: Ring entries that ended well. */

#define PRESI_TELEMETRY_JOBS_FAILED 0x48 /* 64 bits, RO: Ring entries that ended with an error. */

#define PRESI_TELEMETRY_TLB_HITS 0x50 /* 64 bits, RO: Look-ups that hit, all TLBs. */

#define PRESI_TELEMETRY_TLB_MISSES 0x58 /* 64 bits, RO: Look-ups that walked. */

#define PRESI_TELEMETRY_FAULTS 0x60 /* 64 bits, RO: Faults of the device MMU. */

#define PRESI_TELEMETRY_ECC_CORRECTED 0x68 /* 64 bits, RO: Corrected memory errors. */

#define PRESI_TELEMETRY_ECC_UNCORRECTED 0x70 /* 64 bits, RO: Uncorrectable memory errors. */

#define PRESI_TELEMETRY_POWER_MW 0x78 /* 32 bits, RO: Power in mW, from the activity since the last snapshot. */

#define PRESI_TELEMETRY_TEMPERATURE_MC 0x7c /* 32 bits, RO: Temperature in thousandths of a degree Celsius. */

/* MGMT: Management controller: boot handshake, mailbox, heartbeat. Nothing but this block and identification works before BOOT_STATUS is READY. */
#define PRESI_MGMT_BLOCK_BASE 0x3000 /* offset in the BAR */
#define PRESI_MGMT_BLOCK_SIZE 0x1000 /* bytes */

#define PRESI_MGMT_BOOT_CTRL 0x0 /* 32 bits, fields: Boot handshake. */
#define PRESI_MGMT_BOOT_CTRL_START_MASK 0x1U /* WO: Starts the controller. */
#define PRESI_MGMT_BOOT_CTRL_START_SHIFT 0

#define PRESI_MGMT_BOOT_STATUS 0x4 /* 32 bits, fields: Where the controller is. */
#define PRESI_MGMT_BOOT_STATUS_STATE_MASK 0xfU /* RO: State. */
#define PRESI_MGMT_BOOT_STATUS_STATE_SHIFT 0
#define PRESI_MGMT_BOOT_STATUS_STATE_OFF 0x0U
#define PRESI_MGMT_BOOT_STATUS_STATE_BOOTING 0x1U
#define PRESI_MGMT_BOOT_STATUS_STATE_READY 0x2U
#define PRESI_MGMT_BOOT_STATUS_STATE_FAILED 0x3U
#define PRESI_MGMT_BOOT_STATUS_CODE_MASK 0xffff0000U /* RO: With FAILED: the reason. */
#define PRESI_MGMT_BOOT_STATUS_CODE_SHIFT 16

#define PRESI_MGMT_HEARTBEAT 0x8 /* 32 bits, RO: Counts up while the controller lives. */

#define PRESI_MGMT_HEARTBEAT_US 0xc /* 32 bits, RO: Period of the heartbeat in µs. */

#define PRESI_MGMT_MBOX_CMD 0x10 /* 32 bits, WO: Sends a command with MBOX_ARG; refused while BUSY. */

#define PRESI_MGMT_MBOX_STATUS 0x14 /* 32 bits, fields: Outcome of the last command. */
#define PRESI_MGMT_MBOX_STATUS_STATE_MASK 0xfU /* RO: State. */
#define PRESI_MGMT_MBOX_STATUS_STATE_SHIFT 0
#define PRESI_MGMT_MBOX_STATUS_STATE_IDLE 0x0U
#define PRESI_MGMT_MBOX_STATUS_STATE_BUSY 0x1U
#define PRESI_MGMT_MBOX_STATUS_STATE_DONE 0x2U
#define PRESI_MGMT_MBOX_STATUS_STATE_UNKNOWN 0x3U
#define PRESI_MGMT_MBOX_STATUS_STATE_REFUSED 0x4U

#define PRESI_MGMT_MBOX_ARG(i) (0x20 + 0x4 * (i)) /* 32 bits, RW: Arguments of the next command. */
#define PRESI_MGMT_MBOX_ARG_ELEMENTS 4

#define PRESI_MGMT_MBOX_RET(i) (0x30 + 0x4 * (i)) /* 32 bits, RO: Results of the last command. */
#define PRESI_MGMT_MBOX_RET_ELEMENTS 4

/* INJECT: Faults on demand, on the simulated platform alone: software describes a fault, then writes ARM. Kinds, their targets and values are in [faults.md](faults.md). 0 in any register means what the kind has. It works before the controller has booted, and a reset changes nothing of it. */
#define PRESI_INJECT_BLOCK_BASE 0x4000 /* offset in the BAR */
#define PRESI_INJECT_BLOCK_SIZE 0x1000 /* bytes */

#define PRESI_INJECT_KINDS 0x0 /* 32 bits, RO: The largest KIND there is. */

#define PRESI_INJECT_KIND 0x4 /* 32 bits, RW: What is to happen: a number of the table of kinds. */

#define PRESI_INJECT_TARGET 0x8 /* 32 bits, RW: Instance that it happens to, plus 1; 0 any. */

#define PRESI_INJECT_SPACE 0xc /* 32 bits, RW: Chances that pass before the first strike. */

#define PRESI_INJECT_INTERVAL 0x10 /* 32 bits, RW: From then on every so many-th chance. */

#define PRESI_INJECT_TIMES 0x14 /* 32 bits, RW: Strikes before it is over; all ones without end. */

#define PRESI_INJECT_PROBABILITY 0x18 /* 32 bits, RW: Millionths of the chosen chances that are struck. */

#define PRESI_INJECT_SEED 0x1c /* 32 bits, RW: Of the probability's stream. */

#define PRESI_INJECT_FROM_LO 0x20 /* 32 bits, RW: First address that it happens at. */

#define PRESI_INJECT_FROM_HI 0x24 /* 32 bits, RW: High half. */

#define PRESI_INJECT_TO_LO 0x28 /* 32 bits, RW: Last address, inclusive. */

#define PRESI_INJECT_TO_HI 0x2c /* 32 bits, RW: High half. */

#define PRESI_INJECT_DELAY_US 0x30 /* 32 bits, RW: Time in µs from ARM on in which it does not happen. */

#define PRESI_INJECT_DURATION_NS 0x34 /* 32 bits, RW: How long a strike lasts, or how late it makes things. */

#define PRESI_INJECT_VALUE_LO 0x38 /* 32 bits, RW: Parameter of the kind. */

#define PRESI_INJECT_VALUE_HI 0x3c /* 32 bits, RW: High half. */

#define PRESI_INJECT_ARM 0x40 /* 32 bits, fields: Arms the fault described, disarms all, or what was armed here of its kind. */
#define PRESI_INJECT_ARM_COMMAND_MASK 0x3U /* WO: What to do. */
#define PRESI_INJECT_ARM_COMMAND_SHIFT 0
#define PRESI_INJECT_ARM_COMMAND_ARM 0x1U
#define PRESI_INJECT_ARM_COMMAND_CLEAR 0x2U
#define PRESI_INJECT_ARM_COMMAND_OFF 0x3U

#define PRESI_INJECT_STATUS 0x44 /* 32 bits, fields: Outcome of the last ARM. */
#define PRESI_INJECT_STATUS_STATE_MASK 0x3U /* RO: State. */
#define PRESI_INJECT_STATUS_STATE_SHIFT 0
#define PRESI_INJECT_STATUS_STATE_IDLE 0x0U
#define PRESI_INJECT_STATUS_STATE_ARMED 0x1U
#define PRESI_INJECT_STATUS_STATE_REFUSED 0x2U

#define PRESI_INJECT_STRUCK 0x48 /* 32 bits, RO: Strikes of all faults since power-on. */

/* QUEUE: A command queue. The configuration is latched when ENABLE is set. */
#define PRESI_QUEUE_BLOCK_BASE 0x10000 /* offset in the BAR */
#define PRESI_QUEUE_BLOCK_SIZE 0x100 /* bytes */
#define PRESI_QUEUE_BLOCK_COUNT 64 /* instances */
#define PRESI_QUEUE_BLOCK_STRIDE 0x100 /* bytes from instance to instance */

#define PRESI_QUEUE_SQ_BASE_LO 0x0 /* 32 bits, RW: Bus address of the submission ring (64-byte entries), 64-byte aligned. */

#define PRESI_QUEUE_SQ_BASE_HI 0x4 /* 32 bits, RW: High half. */

#define PRESI_QUEUE_CQ_BASE_LO 0x8 /* 32 bits, RW: Bus address of the completion ring (32-byte entries), 64-byte aligned. */

#define PRESI_QUEUE_CQ_BASE_HI 0xc /* 32 bits, RW: High half. */

#define PRESI_QUEUE_SQ_LOG2 0x10 /* 32 bits, RW: Entries of the submission ring, log2, 2 to 16. */

#define PRESI_QUEUE_CQ_LOG2 0x14 /* 32 bits, RW: Entries of the completion ring, log2, 2 to 16. */

#define PRESI_QUEUE_VECTOR 0x18 /* 32 bits, RW: MSI-X vector of its completions. */

#define PRESI_QUEUE_ENGINE 0x1c /* 32 bits, fields: What it feeds. */
#define PRESI_QUEUE_ENGINE_TYPE_MASK 0xfU /* RW: Engine. */
#define PRESI_QUEUE_ENGINE_TYPE_SHIFT 0
#define PRESI_QUEUE_ENGINE_TYPE_COMPUTE 0x0U
#define PRESI_QUEUE_ENGINE_TYPE_COPY 0x1U

#define PRESI_QUEUE_PRIORITY 0x20 /* 32 bits, RW: 0 low to 3 realtime. */

#define PRESI_QUEUE_CTRL 0x24 /* 32 bits, fields: Control. */
#define PRESI_QUEUE_CTRL_ENABLE_MASK 0x1U /* RW: Latches the configuration and starts the queue; cleared: drains and disables it. */
#define PRESI_QUEUE_CTRL_ENABLE_SHIFT 0
#define PRESI_QUEUE_CTRL_RESUME_MASK 0x2U /* WO: In ERROR: skips the failed entry and goes on. */
#define PRESI_QUEUE_CTRL_RESUME_SHIFT 1

#define PRESI_QUEUE_STATE 0x40 /* 32 bits, fields: State. */
#define PRESI_QUEUE_STATE_STATE_MASK 0xfU /* RO: State. */
#define PRESI_QUEUE_STATE_STATE_SHIFT 0
#define PRESI_QUEUE_STATE_STATE_DISABLED 0x0U
#define PRESI_QUEUE_STATE_STATE_IDLE 0x1U
#define PRESI_QUEUE_STATE_STATE_RUNNING 0x2U
#define PRESI_QUEUE_STATE_STATE_WAITING 0x3U
#define PRESI_QUEUE_STATE_STATE_DRAINING 0x4U
#define PRESI_QUEUE_STATE_STATE_ERROR 0x5U

#define PRESI_QUEUE_EPOCH 0x44 /* 32 bits, RO: Resets of this queue since power-on, modulo 65536. */

#define PRESI_QUEUE_HEAD 0x48 /* 32 bits, RO: Entries since ENABLE that have been read, in order: their places in the ring may be written again. */

#define PRESI_QUEUE_PROGRESS 0x4c /* 32 bits, RO: Packets and tiles retired; never counts polls, so it tells slow from hung. */

#define PRESI_QUEUE_CUR_SEQNO 0x50 /* 64 bits, RO: Sequence number of the entry that runs or has run last. A reset keeps it: what had begun is at or below it. */

#define PRESI_QUEUE_CUR_OFFSET 0x58 /* 32 bits, RO: Offset in its command buffer, bytes. */

#define PRESI_QUEUE_ERR_CODE 0x60 /* 32 bits, RO: Status of the first error since ENABLE or RESUME. */

#define PRESI_QUEUE_ERR_OFFSET 0x64 /* 32 bits, RO: Offset of the packet that failed, bytes. */

#define PRESI_QUEUE_ERR_SEQNO 0x68 /* 64 bits, RO: Its entry's sequence number. */

#define PRESI_QUEUE_ERR_ADDR 0x70 /* 64 bits, RO: Address that failed, for address errors. */

#define PRESI_QUEUE_ERR_ASID 0x78 /* 32 bits, RO: Context that failed. */

/* DOORBELL: Doorbells of a queue, one 4 KiB page each. Values are absolute, so a later one heals a lost one. */
#define PRESI_DOORBELL_BLOCK_BASE 0x100000 /* offset in the BAR */
#define PRESI_DOORBELL_BLOCK_SIZE 0x1000 /* bytes */
#define PRESI_DOORBELL_BLOCK_COUNT 64 /* instances */
#define PRESI_DOORBELL_BLOCK_STRIDE 0x1000 /* bytes from instance to instance */

#define PRESI_DOORBELL_SQ_TAIL 0x0 /* 32 bits, WO: Entries produced since ENABLE, modulo 2³², at most the ring's depth beyond HEAD. A value behind what is being fetched is ignored. */

#define PRESI_DOORBELL_CQ_HEAD 0x4 /* 32 bits, WO: Completions consumed since ENABLE, modulo 2³². */

#define PRESI_DOORBELL_CQ_ARM 0x8 /* 32 bits, WO: Interrupt when completions produced exceed this count; at once if they do. */

#define PRESI_DOORBELL_FENCE_KICK 0xc /* 32 bits, WO: Looks at the slot of a waiting WAIT again. */

#endif /* PRESI_REGS_H */
