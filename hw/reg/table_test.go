package reg

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sample has one of everything: all access kinds, both sizes, mixed fields,
// arrays that alternate, holes.
func sample() Table {
	return Table{
		Name: "unit", Base: 0x1000, Size: 0x80, Count: 3, Stride: 0x100, Text: "A unit | of test.",
		Registers: []Register{
			{Offset: 0x00, Name: "ID", Size: 4, Access: RO, Reset: 0xacc10001, Text: "Identification."},
			{Offset: 0x04, Name: "CTRL", Size: 4, Text: "Control.", Fields: []Field{
				{Name: "ENABLE", Hi: 0, Lo: 0, Text: "Run."},
				{Name: "MODE", Hi: 5, Lo: 4, Reset: 1, Values: []Value{{0, "slow", ""}, {1, "fast", "Full rate."}}},
				{Name: "KICK", Hi: 8, Lo: 8, Access: WO},
				{Name: "BUSY", Hi: 16, Lo: 16, Access: RO, Reset: 1},
				{Name: "CAUSE", Hi: 27, Lo: 20, Access: W1C, Reset: 0xa5},
				{Name: "LOST", Hi: 31, Lo: 28, Access: RC, Reset: 0xf},
			}},
			{Offset: 0x08, Name: "COUNT", Size: 8, Access: RC, Reset: 0x1122334455667788},
			{Offset: 0x10, Name: "ADDR", Size: 8},
			{Offset: 0x18, Name: "KEY", Size: 4, Access: WO},
			{Offset: 0x1c, Name: "STAT", Size: 4, Access: RO, Fields: []Field{{Name: "CODE", Hi: 7, Lo: 0, Reset: 7}}},
			{Offset: 0x20, Name: "BASE", Size: 8, Count: 3, Stride: 16},
			{Offset: 0x28, Name: "LEN", Size: 4, Count: 3, Stride: 16, Access: W1C, Reset: math.MaxUint32},
			{Offset: 0x70, Name: "WIDE", Size: 8, Access: RO, Fields: []Field{
				{Name: "ALL", Hi: 63, Lo: 0, Reset: math.MaxUint64}}},
		},
	}
}

func TestCheckAcceptsTheSample(t *testing.T) { assert.Empty(t, Check(sample())) }

func TestCheckNamesEachFault(t *testing.T) {
	one := func(r ...Register) Table { return Table{Name: "t", Size: 0x40, Registers: r} }
	field := func(f ...Field) Table { return one(Register{Name: "R", Size: 4, Fields: f}) }
	for name, c := range map[string]struct {
		t    Table
		want string
	}{
		"overlap":          {one(Register{Name: "A", Size: 8}, Register{Offset: 4, Name: "B", Size: 4}), "B: overlaps A at offset 0x4"},
		"array overlap":    {one(Register{Name: "A", Size: 4, Count: 4, Stride: 8}, Register{Offset: 8, Name: "B", Size: 4}), "B: overlaps A at offset 0x8"},
		"self overlap":     {one(Register{Name: "A", Size: 8, Count: 2}), "A: 2 elements of 8 bytes, 0 bytes apart, overlap"},
		"alignment":        {one(Register{Offset: 4, Name: "A", Size: 8}), "A: offset 0x4 and stride 0x0 must be multiples of its 8 bytes"},
		"order":            {one(Register{Offset: 8, Name: "A", Size: 4}, Register{Name: "B", Size: 4}), "B: offset 0x0 is not above 0x8"},
		"size":             {one(Register{Name: "A", Size: 2}), "A: 2 bytes; a register has 4 or 8"},
		"outside":          {one(Register{Offset: 0x40, Name: "A", Size: 4}), "A: ends outside the table's 0x40 bytes"},
		"array outside":    {one(Register{Name: "A", Size: 4, Count: math.MaxInt, Stride: 1 << 62}), "A: ends outside"},
		"reset":            {one(Register{Name: "A", Size: 4, Reset: 1 << 32}), "A: reset 0x100000000 does not fit 4 bytes"},
		"reset and fields": {one(Register{Name: "A", Size: 4, Reset: 1, Fields: []Field{{Name: "F"}}}), "A: reset 0x1 stands beside fields"},
		"kind":             {one(Register{Name: "A", Size: 4, Access: 9}), "A: unknown access kind 9"},
		"name":             {one(Register{Name: "A B", Size: 4}), `A B: "A B" is not a C identifier`},
		"same name":        {one(Register{Name: "A", Size: 4}, Register{Offset: 4, Name: "a", Size: 4}), "A: the name is there twice"},
		"field bits":       {field(Field{Name: "F", Hi: 32, Lo: 4}), "R.F: bits 32:4 are not inside 4 bytes"},
		"field order":      {field(Field{Name: "F", Hi: 1, Lo: 4}), "R.F: bits 1:4 are not inside"},
		"field overlap":    {field(Field{Name: "F", Hi: 4, Lo: 0}, Field{Name: "G", Hi: 8, Lo: 4}), "R.G: bits 8:4 overlap a field before it"},
		"field name":       {field(Field{Name: "F", Lo: 0}, Field{Name: "F", Hi: 1, Lo: 1}), "R.F: the name is there twice"},
		"field reset":      {field(Field{Name: "F", Hi: 1, Reset: 4}), "R.F: reset 0x4 does not fit bits 1:0"},
		"field kind":       {field(Field{Name: "F", Access: 5}), "R.F: unknown access kind 5"},
		"field value":      {field(Field{Name: "F", Hi: 1, Values: []Value{{4, "x", ""}}}), "R.F.x: value 4 does not fit"},
		"value twice":      {field(Field{Name: "F", Hi: 1, Values: []Value{{1, "x", ""}, {1, "y", ""}}}), "R.F.y: value 1 does not fit bits 1:0 or is there twice"},
		"table size":       {Table{Name: "t", Size: 6}, "size: 0x6 is not a multiple of 4"},
		"table name":       {Table{Name: "9", Size: 4}, `name: "9" is not a C identifier`},
		"instances":        {Table{Name: "t", Size: 8, Count: 2}, "stride: 2 instances of 0x8 bytes, 0x0 bytes apart, overlap"},
		"base":             {Table{Name: "t", Size: 8, Base: 4}, "base: base 0x4 and stride 0x0 must be multiples of 8"},
	} {
		t.Run(name, func(t *testing.T) {
			errs := Check(c.t)
			require.Len(t, errs, 1)
			assert.Contains(t, errs[0].Error(), "table "+c.t.Name+": "+c.want)
		})
	}
}

func TestCheckReportsAllFaults(t *testing.T) {
	errs := Check(Table{Name: "t", Size: 16, Registers: []Register{
		{Name: "A", Size: 3}, {Name: "A", Size: 4, Reset: 1 << 40}, {Offset: 16, Name: "B", Size: 4}}})
	assert.Len(t, errs, 5) // size, order, name, reset, outside
}
