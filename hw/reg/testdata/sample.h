/* SPDX-License-Identifier: Apache-2.0 */
/* Generated from the register tables; do not edit. */
#ifndef SAMPLE_REGS_H
#define SAMPLE_REGS_H

/* unit: A unit | of test. */
#define NPU_UNIT_BLOCK_BASE 0x1000 /* offset in the BAR */
#define NPU_UNIT_BLOCK_SIZE 0x80 /* bytes */
#define NPU_UNIT_BLOCK_COUNT 3 /* instances */
#define NPU_UNIT_BLOCK_STRIDE 0x100 /* bytes from instance to instance */

#define NPU_UNIT_ID 0x0 /* 32 bits, RO: Identification. */

#define NPU_UNIT_CTRL 0x4 /* 32 bits, fields: Control. */
#define NPU_UNIT_CTRL_ENABLE_MASK 0x1U /* RW: Run. */
#define NPU_UNIT_CTRL_ENABLE_SHIFT 0
#define NPU_UNIT_CTRL_MODE_MASK 0x30U /* RW */
#define NPU_UNIT_CTRL_MODE_SHIFT 4
#define NPU_UNIT_CTRL_MODE_SLOW 0x0U
#define NPU_UNIT_CTRL_MODE_FAST 0x1U /* Full rate. */
#define NPU_UNIT_CTRL_KICK_MASK 0x100U /* WO */
#define NPU_UNIT_CTRL_KICK_SHIFT 8
#define NPU_UNIT_CTRL_BUSY_MASK 0x10000U /* RO */
#define NPU_UNIT_CTRL_BUSY_SHIFT 16
#define NPU_UNIT_CTRL_CAUSE_MASK 0xff00000U /* W1C */
#define NPU_UNIT_CTRL_CAUSE_SHIFT 20
#define NPU_UNIT_CTRL_LOST_MASK 0xf0000000U /* RC */
#define NPU_UNIT_CTRL_LOST_SHIFT 28

#define NPU_UNIT_COUNT 0x8 /* 64 bits, RC */

#define NPU_UNIT_ADDR 0x10 /* 64 bits, RW */

#define NPU_UNIT_KEY 0x18 /* 32 bits, WO */

#define NPU_UNIT_STAT 0x1c /* 32 bits, fields */
#define NPU_UNIT_STAT_CODE_MASK 0xffU /* RO */
#define NPU_UNIT_STAT_CODE_SHIFT 0

#define NPU_UNIT_BASE(i) (0x20 + 0x10 * (i)) /* 64 bits, RW */
#define NPU_UNIT_BASE_ELEMENTS 3

#define NPU_UNIT_LEN(i) (0x28 + 0x10 * (i)) /* 32 bits, W1C */
#define NPU_UNIT_LEN_ELEMENTS 3

#define NPU_UNIT_WIDE 0x70 /* 64 bits, fields */
#define NPU_UNIT_WIDE_ALL_MASK 0xffffffffffffffffULL /* RO */
#define NPU_UNIT_WIDE_ALL_SHIFT 0

/* second: ends * / a comment / * and opens one */
#define NPU_SECOND_BLOCK_BASE 0x40 /* offset in the BAR */
#define NPU_SECOND_BLOCK_SIZE 0x8 /* bytes */

#define NPU_SECOND_A 0x0 /* 32 bits, RW */

#define NPU_SECOND_B 0x4 /* 32 bits, RW */

#endif /* SAMPLE_REGS_H */
