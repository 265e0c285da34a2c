package workload

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const (
	convHead = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
	gemmHead = "Layer, M, N, K,\n"
)

func topologyOf(text string, batch int) (*Graph, error) {
	return readTopology("t.csv", text, Options{Batch: batch})
}

// references reads layers of SCALE-Sim's own topologies with the M, K, N and
// multiply-accumulates that it computes for them (v3, commit 1d62b68; its files
// conv_nets/alexnet.csv, conv_nets/Resnet18.csv, GEMM_mnk/transformer_partial.csv).
func references(t *testing.T) (rows []map[string]string) {
	f, err := os.Open("testdata/scalesim_layers.csv")
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// TestTopologyGeometry: M, K, N and the multiply-accumulates of AlexNet,
// ResNet-18 and a transformer are those SCALE-Sim has for them.
func TestTopologyGeometry(t *testing.T) {
	rows := references(t)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		names := []string{"layer_name", "ifmap_h", "ifmap_w", "filt_h", "filt_w", "channels", "num_filt", "stride_h"}
		text := convHead
		if row["input"] != "conv" {
			names, text = []string{"layer_name", "M", "N", "K"}, gemmHead
		}
		for _, name := range names {
			text += row[name] + ","
		}
		g, err := topologyOf(text+"\n", 1)
		require.NoError(t, err, "%v", row)
		m, k, n := mkn(&g.Ops[0])
		assert.Equal(t, []string{row["M"], row["K"], row["N"]}, []string{strconv.Itoa(m), strconv.Itoa(k), strconv.Itoa(n)}, "%v", row)
		assert.Equal(t, row["macs"], fmt.Sprint(g.MACs()))
		assert.Equal(t, row["layer_name"], g.Ops[0].Name)
	}
}

// mkn is an operator as the product of two matrices; a grouped convolution as
// one for each group.
func mkn(o *Op) (m, k, n int) {
	if c := o.Conv; c != nil {
		return c.N * c.P * c.Q, c.R * c.S * c.C / c.Groups, c.K / c.Groups
	}
	return o.Gemm.M, o.Gemm.K, o.Gemm.N
}

// TestTopologyForms: whatever SCALE-Sim's files have for a form is read.
func TestTopologyForms(t *testing.T) {
	for _, c := range []struct {
		name, text string
		batch      int
		shapes     []string
	}{
		{"conv", convHead + "Conv1, 224, 224, 11, 11, 3, 96, 4,\nConv2, 27, 27, 5, 5, 96, 256, 1,\n", 1,
			[]string{"Conv1 1x55x55x96", "Conv2 1x23x23x256"}},
		{"no trailing commas, no newline at the end", convHead[:len(convHead)-2] + "\nA,8,9,3,2,4,5,1", 1, []string{"A 1x6x8x5"}},
		{"more trailing commas, blank lines, tabs, carriage returns", "\r\n" + convHead + "\n ,,\n\t A ,\t8,9 ,3, 2,4,5,1 , ,,\r\n\r\n", 1, []string{"A 1x6x8x5"}},
		{"byte order mark and no-break spaces", "\ufeffLayer name,\u00a0 IFMAP Height,\u00a0 IFMAP Width,Filter Height,Filter Width,Channels,Num Filter,Strides,\nA,8,9,3,2,4,5,1,\n",
			1, []string{"A 1x6x8x5"}},
		{"other spellings", "Layer,IFMAP Width,IFMAP Width,filter height,filter width,channel,num filters,stride\nA,8,9,3,2,4,5,1,\n", 1, []string{"A 1x6x8x5"}},
		{"two strides", "Layer name,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Num filter,Stride height,Stride width\nA,8,9,3,2,4,5,2,3,\n",
			1, []string{"A 1x4x4x5"}},
		{"dense", strings.Replace(convHead, "Strides,", "Strides, Sparsity,", 1) + "A,8,9,3,2,4,5,1,1:1,\nB,8,9,3,2,4,5,1,\n", 1, []string{"A 1x6x8x5", "B 1x6x8x5"}},
		{"rounding up", convHead + "A,8,8,3,3,1,1,2,\nB,3,3,3,3,1,1,5,\nC,9,8,1,1,1,1,4,\n", 1, []string{"A 1x4x4x1", "B 1x1x1x1", "C 1x3x3x1"}},
		{"depthwise", convHead + "Conv2_DP, 9, 9, 3, 3, 32, 2, 1,\n", 1, []string{"Conv2_DP 1x7x7x64"}},
		{"batch", convHead + "A,8,9,3,2,4,5,1,\n", 3, []string{"A 3x6x8x5"}},
		{"gemm", gemmHead + "L1, 128, 768, 64,\nL2,1,2,3\n", 1, []string{"L1 128x768", "L2 1x2"}},
		{"gemm, batch", "L,m,n,k\nL1, 128, 768, 64,\n", 4, []string{"L1 512x768"}},
		{"names again", gemmHead + "A,1,2,3,\nA,1,2,3,\nA#2,1,2,3,\nA,1,2,3,\n", 1, []string{"A 1x2", "A#2 1x2", "A#2#2 1x2", "A#3 1x2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := topologyOf(c.text, c.batch)
			require.NoError(t, err)
			var got []string
			for i := range g.Ops {
				got = append(got, g.Ops[i].Name+" "+g.Tensor(g.Ops[i].Out()).ShapeString())
			}
			assert.Equal(t, c.shapes, got)
			require.NoError(t, g.Validate())
		})
	}
}

// TestTopologyDepthwise: two filters for each channel, of that channel alone.
func TestTopologyDepthwise(t *testing.T) {
	g, err := topologyOf(convHead+"Conv2_DP, 9, 9, 3, 3, 32, 2, 1,\n", 1)
	require.NoError(t, err)
	c := g.Ops[0].Conv
	assert.Equal(t, 32, c.Groups)
	assert.Equal(t, "3x3x1x64", g.Tensor(c.F).ShapeString())
	m, k, n := mkn(&g.Ops[0])
	assert.Equal(t, [3]int{49, 9, 2}, [3]int{m, k, n})
	assert.EqualValues(t, 32*49*9*2, g.MACs())
}

// TestTopologyTensors: only the first ifmap comes over the link, only the last
// ofmap goes back.
func TestTopologyTensors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.csv")
	require.NoError(t, os.WriteFile(file, []byte(convHead+"A,8,8,3,3,4,5,1,\nB,9,9,1,1,6,7,1,\n"), 0o644))
	g := mustLoad(t, file, Options{DType: I8})
	assert.Equal(t, "mine", g.Name)
	assert.Equal(t, file, g.Source)
	assert.Equal(t, "SCALE-Sim topology, 2 layers", g.Title)
	assert.Equal(t, I8, g.DType)
	assert.Equal(t, file+":3", g.Ops[1].Pos)
	roles := map[string]Role{}
	for _, x := range g.Tensors {
		roles[x.Name] = x.Role
	}
	assert.Equal(t, map[string]Role{"A.ifmap": Input, "A.filter": Weight, "A": Activation, "B.ifmap": Cache, "B.filter": Weight, "B": Output}, roles)
	assert.EqualValues(t, 3*3*4*5+6*7, g.Params())
}

func TestTopologyFaults(t *testing.T) {
	huge := strings.Repeat("1", 30)
	for _, c := range []struct {
		name, text string
		want       []string // one for each message, in order
	}{
		{"empty", "", []string{`t.csv:1: column 1: is empty; want the header "Layer name, IFMAP Height`}},
		{"blank", " \n,,\n", []string{"t.csv:1: column 1: is empty"}},
		{"header alone", convHead, []string{"t.csv:2: column 1: no layer follows the header"}},
		{"no header", "A,8,9,3,2,4,5,1,\n", []string{`t.csv:1: column 1: A: found "A"; want the column "Layer name": the first line is the header`,
			`column 3: 8: found "8"; want the column "IFMAP Height"`, "column 5", "column 7", "column 9", "column 11", "column 13", "column 15"}},
		{"columns in another order", "Layer, M, K, N,\nA,1,2,3,\n", []string{`t.csv:1: column 11: K: found "K"; want the column "N"`, `column 14: N: found "N"; want the column "K"`}},
		{"columns too few", "Layer name, IFMAP Height, IFMAP Width\nA,1\n", []string{"t.csv:1: column 38: has 3 of 8 columns: Layer name, IFMAP Height",
			"t.csv:2: column 4: A: has 2 of 8 values"}},
		{"columns too many", "Layer,M,N,K,Sparsity,Batch,\n", []string{`t.csv:1: column 22: Batch: a column too many`}},
		{"another column", strings.Replace(convHead, "Strides", "Strides, Batch Size", 1), []string{`column 100: Batch Size: found "Batch Size"; want the column "Sparsity"`}},
		{"every fault of every line", convHead + "A, 8, x, 3, 2.0, 4, 5, 1,\n\nB, 8, 9, -3, 2, 4, 5, 0,\n", []string{
			`t.csv:2: column 7: A: IFMAP Width: found "x"; want a whole number of 1 to 1073741824`,
			`t.csv:2: column 13: A: Filter Width: found "2.0"`, `t.csv:4: column 10: B: Filter Height: found "-3"`, `t.csv:4: column 23: B: Strides: found "0"`}},
		{"numbers", gemmHead + "A,+1,0x2,1e3,\nB,1_0," + huge + ",٣,\n", []string{`M: found "+1"`, `N: found "0x2"`, `K: found "1e3"`, `M: found "1_0"`, `N: found "111`, `K: found "٣"`}},
		{"an empty value", gemmHead + "A,1,,3,\n", []string{`t.csv:2: column 5: A: N: found ""; want a whole number`}},
		{"too few", gemmHead + "A, 1, 2,\n", []string{`t.csv:2: column 8: A: has 3 of 4 values: Layer name, M, N, K`}},
		{"too many", gemmHead + "A, 1, 2, 3, 4,\n", []string{`t.csv:2: column 13: A: 5 values found; want 4`}},
		{"a comment", convHead + "A,8,9,3,2,4,5,1,#dw\n", []string{`t.csv:2: column 17: A: 9 values found; want 8`}},
		{"no name", gemmHead + " ,1,2,3\n", []string{`t.csv:2: column 1: Layer name: found ""; want a name`}},
		{"quoted", gemmHead + "\"A\",1,2,3\n", []string{`t.csv:2: column 1: Layer name: found "\"A\""; want a name of printable characters without quotes`}},
		{"the filter is larger", convHead + "A,8,9,9,12,4,5,1,\n", []string{`t.csv:2: column 7: A: Filter Height: a filter of 9 does not fit into an ifmap of 8`,
			`t.csv:2: column 9: A: Filter Width: a filter of 12 does not fit into an ifmap of 9`}},
		{"sparse", strings.Replace(gemmHead, "K,", "K, Sparsity,", 1) + "A,1,2,3,2:4,\nB,1,2,3,x,\nC,1,2,3,0:0\n", []string{
			`t.csv:2: column 9: A: Sparsity: found "2:4"; want 1:1: sparse layers are not supported`, `found "x"`, `found "0:0"`}},
		{"huge", gemmHead + "A,1000000000,1000000000,1,\nB,1000000,1000000,1000000\n", []string{
			"t.csv:2: column 3: A: a tensor has 1e+18 elements; want at most", "t.csv:3: column 3: B: takes 1e+18 steps; want at most"}},
		{"something else", convHead + strings.Repeat("lorem ipsum\n", 5000), append(make([]string, 100), "t.csv:101: column 1: too much")},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := topologyOf(c.text, 1)
			require.Error(t, err)
			got := messages(err)
			require.Len(t, got, len(c.want), "%s", strings.Join(got, "\n"))
			for i, want := range c.want {
				assert.Contains(t, got[i], want)
			}
		})
	}
}

func TestTopologyLoadFaults(t *testing.T) {
	_, err := Load("missing.csv", Options{})
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Load("mine.csv,seq=3", Options{})
	assert.ErrorContains(t, err, "mine.csv: a topology has no variables")
	_, err = topologyOf(strings.Replace(gemmHead, "K,", "K, Sparsity,", 1)+"A,1,2,3,2:4,\n", 1)
	assert.ErrorIs(t, err, ErrUnsupported)
	_, err = topologyOf(gemmHead+"A,10000,1,1\n", maxBatch)
	assert.ErrorContains(t, err, "an extent is 10485760000; want at most")
}

// TestTopologyValues: windows beyond the image see zeros, and a batch of images
// is as many alone.
func TestTopologyValues(t *testing.T) {
	g, err := readTopology("t.csv", convHead+"A,6,5,3,3,2,3,2,\nB_DP,5,5,2,2,3,2,2,\n", Options{Batch: 2, DType: F32})
	require.NoError(t, err)
	m := newMachine(g)
	m.run(nil)
	for i := range g.Ops {
		c := g.Ops[i].Conv
		x, f, y := m.read(c.X), m.read(c.F), m.read(c.Y)
		require.Len(t, y, 2*c.P*c.Q*c.K)
		n, p, q, k := 1, c.P-1, c.Q-1, c.K-1
		sum, per := 0.0, c.K/c.Groups
		for r := range c.R {
			for s := range c.S {
				h, w := p*c.Stride[0]+r, q*c.Stride[1]+s
				for ch := range c.C / c.Groups {
					if h < c.H && w < c.W {
						sum += float64(x[((n*c.H+h)*c.W+w)*c.C+k/per*(c.C/c.Groups)+ch]) * float64(f[((r*c.S+s)*(c.C/c.Groups)+ch)*c.K+k])
					}
				}
			}
		}
		assert.InDelta(t, sum, y[((n*c.P+p)*c.Q+q)*c.K+k], 1e-5, g.Ops[i].Name)
	}
}

// TestTopologyProperty: for random layers, written with random blanks and
// commas, the geometry is SCALE-Sim's.
func TestTopologyProperty(t *testing.T) {
	ceil := func(a, b int) int { return (a + b - 1) / b }
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 40)
		blank := rapid.SampledFrom([]string{"", " ", "\t", "  "})
		fh, fw := size.Draw(t, "fh"), size.Draw(t, "fw")
		h, w := fh+size.Draw(t, "h")-1, fw+size.Draw(t, "w")-1
		c, k, stride, batch := size.Draw(t, "c"), size.Draw(t, "k"), size.Draw(t, "stride"), rapid.IntRange(1, 3).Draw(t, "batch")
		name := rapid.SampledFrom([]string{"conv", "conv_DP", "DP"}).Draw(t, "name")
		line := name
		for _, v := range []int{h, w, fh, fw, c, k, stride} {
			line += "," + blank.Draw(t, "before") + strconv.Itoa(v) + blank.Draw(t, "after")
		}
		g, err := topologyOf(convHead+line+strings.Repeat(",", rapid.IntRange(0, 3).Draw(t, "commas"))+"\n", batch)
		if err != nil {
			t.Fatal(err)
		}
		groups := 1
		if name != "conv" {
			groups = c
		}
		wantM, wantK := batch*ceil(h-fh+stride, stride)*ceil(w-fw+stride, stride), fh*fw*c/groups
		if m, kk, n := mkn(&g.Ops[0]); m != wantM || kk != wantK || n != k {
			t.Fatalf("M, K, N are %d, %d, %d; want %d, %d, %d", m, kk, n, wantM, wantK, k)
		}
		if got, want := g.MACs(), int64(groups)*int64(wantM)*int64(wantK)*int64(k); got != want {
			t.Fatalf("%d MACs, want %d", got, want)
		}
	})
}

// FuzzTopology: any text gives a graph that holds its own rules, or faults that
// all say where.
func FuzzTopology(f *testing.F) {
	f.Add(convHead+"Conv1, 224, 224, 11, 11, 3, 96, 4,\nConv2_DP, 27, 27, 5, 5, 96, 1, 1,,\n", 1)
	f.Add(gemmHead+"A, 1, 2, 3,\nA, 1, x, 3,\n\n", 2)
	f.Add("Layer name,IFMAP height,IFMAP width,Filter height,Filter width,Channels,Num filter,Stride height,Stride width\nA,8,9,3,2,4,5,2,3,\n", 3)
	f.Add(strings.Replace(gemmHead, "K,", "K, Sparsity,", 1)+"A,1,2,3,2:4,\n", 1)
	f.Add("\ufeff,,\r\n\xff,1073741824,1073741824,1073741824", 1<<20)
	f.Fuzz(func(t *testing.T, text string, batch int) {
		if batch < 1 || batch > maxBatch {
			return
		}
		g, err := topologyOf(text, batch)
		if err == nil {
			require.NoError(t, g.Validate())
			assert.Len(t, g.Table(), len(g.Ops))
			assert.NotEmpty(t, g.Ops)
			assert.Positive(t, g.MACs())
			return
		}
		lines := strings.Split(text, "\n")
		for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
			var fault *Error
			require.True(t, errors.As(e, &fault))
			require.True(t, fault.Line >= 1 && fault.Line <= len(lines), "%v", fault)
			require.True(t, fault.Col >= 1 && fault.Col <= len([]rune(lines[fault.Line-1]))+1, "%v", fault)
			assert.NotEmpty(t, fault.Msg)
		}
	})
}
