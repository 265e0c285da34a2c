package core

import (
	"fmt"

	"github.com/presi-sim/presi/hw/abi"
)

// TiledConv is a convolution of one int8 image in tiles that are given, as in
// published measurements of arrays. The image is as large as the output needs:
// nothing is padded. With a window of one pixel the step is the loads': pixels
// between are not read, as if the image had none.
type TiledConv struct {
	Channels, Filters, Rows, Cols int64 // of the input, and of the output
	R, S, Stride                  int64 // window and step
	TileChannels, TileFilters     int64
	TileRows, TileCols            int64
}

// Kernel returns the descriptor: two slots an operand where both fit the
// scratchpad, else one.
func (t *TiledConv) Kernel(cfg *Config) (abi.Kernel, error) {
	k := abi.Kernel{Kind: abi.KernelConv, InType: abi.I8, OutType: abi.I8, Dataflow: uint8(cfg.Array.Dataflow),
		Scale: 1, OutScale: 1, ResScale: 1, Buffers: [abi.NumOperands]uint8{1, 1, 1},
		Tile: [6]uint32{uint32(t.TileRows), uint32(t.TileFilters), uint32(t.TileChannels), uint32(t.TileCols)}}
	step := t.Stride
	if t.R == 1 && t.S == 1 {
		step = 1
	}
	h, w := (t.Rows-1)*step+t.R, (t.Cols-1)*step+t.S
	for i, v := range [...]int64{abi.DimImages: 1, abi.DimH: h, abi.DimW: w, abi.DimC: t.Channels, abi.DimOH: t.Rows, abi.DimOW: t.Cols,
		abi.DimFilters: t.Filters, abi.DimR: t.R, abi.DimS: t.S, abi.DimStrideH: step, abi.DimStrideW: step,
		abi.DimDilH: 1, abi.DimDilW: 1, abi.DimGroups: 1} {
		if v < 0 || v > maxExtent {
			return k, fmt.Errorf("%w: an extent of %d", ErrNotRun, v)
		}
		k.Dims[i] = uint32(v)
	}
	k.Operands = [abi.NumOperands]abi.Operand{
		{Addr: 1 << 32, RowStride: uint64(w * t.Channels)},
		{Addr: 2 << 32, RowStride: uint64(t.Filters)},
		{Addr: 3 << 32, RowStride: uint64(t.Cols * t.Filters)},
	}
	slot, status := Footprint(&k)
	if status != abi.StatusOK {
		return k, fmt.Errorf("%w: status %v", ErrNotRun, status)
	}
	for buffers := int64(2); buffers >= 1; buffers-- {
		at := int64(0)
		for i, size := range slot[:3] {
			k.Buffers[i], k.Spad[i] = uint8(buffers), uint32(at)
			at += buffers * size
		}
		if at <= int64(cfg.Scratchpad.Size) {
			return k, nil
		}
	}
	return k, fmt.Errorf("%w: a tile's operands take %d bytes, and the scratchpad has %v", ErrNotRun, slot[:3], cfg.Scratchpad.Size)
}

// Cycles returns what the cores take for the convolution when memory answers at
// once.
func (t *TiledConv) Cycles(cfg Config) (int64, error) {
	k, err := t.Kernel(&cfg)
	if err != nil {
		return 0, err
	}
	cycles, _, err := Alone(cfg, &k)
	return cycles, err
}
