package fwtest_test

import (
	"encoding/json"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// deletion is a piece of the reference driver that must not be missing, with the
// tests that miss it.
type deletion struct {
	name, file string
	// code is the piece: statements that declare nothing, or, with `without`,
	// whatever that stands in for. There missing() is true in the driver that lacks
	// the piece. Without code it is part of another's.
	code, without string
	tests         string
}

// Tests of the suite, as regular expressions: on a strict machine, under chaos
// mode, in the matrix of faults.
func strict(name string) string { return "^TestReferenceDriver$/^" + name + "$" }
func chaos(name string) string  { return "^TestPortableSuiteUnderChaos$/^[1-4]$/^" + name + "$" }
func cell(name string) string   { return "^TestMatrix$/^" + name + "$" }

// deletions has every barrier, invalidation, phase check, flush and
// acknowledgement of the driver; TestDeletionsAreAll holds that none is left out.
var deletions = []deletion{
	{"write barrier before the doorbell", "ring.go", "	r.d.bus.WriteBarrier()\n", "", chaos("S19_.*")},
	{"read barrier behind the phase", "ring.go", "		r.d.bus.ReadBarrier()\n", "", chaos("S24_RingsShareAVector")},
	{"phase check", "ring.go", "c.Phase != phase {", "c.Phase != phase && (!missing(`phase check`) || some || c.Seqno == 0) {", chaos("S19_.*")},
	{"completion ring cleared at the start", "ring.go", "	clear(r.cq.Bytes)\n", "", cell("(aer-fatal|dma-error|completion-unknown)")},
	{"completions acknowledged", "ring.go", "		r.d.write(r.bell(bellCQHead), r.consumed)\n", "", chaos("S19_.*")},
	{"queue in error resumed", "ring.go", "		r.d.write(r.reg(regQCtrl), ctrlEnable|ctrlResume)\n", "", chaos("S18_ErrorsOfJobs")},
	{"queue enabled", "ring.go", "	d.write(r.reg(regQCtrl), ctrlEnable)\n", "", chaos("S18_SuccessAndTimeout")},
	{"completions read at an interrupt", "ring.go", "			r.complete()\n", "", strict("S24_FewerVectors")},
	{"ring read", "ring.go", "	some, failed := r.reap()\n", "	some, failed := false, false\n	if !missing(`ring read`) {\n		some, failed = r.reap()\n	}\n", chaos("S18_SuccessAndTimeout")},
	{"ring read before a job is called hung", "reset.go", "	if r.complete() {", "	if !missing(`ring read before a job is called hung`) && r.complete() {", cell("irq-lost")},
	{"rings read behind a reset", "reset.go", "		r.reap()\n", "", chaos("S18_CompletedBeforeAReset")},
	{"schedulers ended at unplug", "ring.go", "	r.sched.End(unix.ENODEV)\n", "", chaos("S18_Unplug")},
	{"queue disabled before its memory is freed", "ring.go", "	r.d.write(r.reg(regQCtrl), 0)\n", "", strict("S02_.*")},
	{"queue seen disabled before its memory is freed", "ring.go", `	err := r.d.poll("queue to stop", resetTimeout*r.d.timeScale(), 1000, func() (bool, error) {
`, "	err := r.d.poll(`queue to stop`, resetTimeout*r.d.timeScale(), 1000, func() (bool, error) {\n		if missing(`queue seen disabled before its memory is freed`) {\n			return true, nil\n		}\n", strict("S02_.*")},
	{"jobs awaited before a context goes", "job.go", "	q.entity.Flush()\n", "", chaos("S1[89]_.*")},

	{"invalidation behind an unmap", "vm.go", "	s.d.invalidate(s.asid, va, n)\n}\n", "	if !missing(`invalidation behind an unmap`) {\n		s.d.invalidate(s.asid, va, n)\n	}\n}\n", chaos("S16_.*")},
	{"entries cleared at an unmap", "vm.go", "	s.clear(va, n)\n", "", chaos("S16_.*")},
	{"unmap of a closed buffer", "client.go", "		c.space.unmapRange(v.va, size)\n", "", chaos("S16_.*")},
	{"unmap of an evicted buffer", "evict.go", "		p.c.space.unmapRange(p.v.va, b.size)\n", `		switch {
		case missing("unmap of an evicted buffer"):
		case missing("invalidation of an evicted buffer"):
			p.c.space.clear(p.v.va, b.size)
		default:
			p.c.space.unmapRange(p.v.va, b.size)
		}
`, chaos("S16_EvictedBufferKeepsItsData")},
	{"invalidation of an evicted buffer", "", "", "", chaos("S16_EvictedBufferKeepsItsData")},
	{"unmap of what could be mapped in part", "vm.go", "		s.unmapRange(va, n)\n", "", chaos("S16_MappedWholeOrNotAtAll")},
	{"invalidation of replaced tables", "vm.go", "		s.d.invalidate(s.asid, va, n)\n		for", "		if !missing(`invalidation of replaced tables`) {\n			s.d.invalidate(s.asid, va, n)\n		}\n		for", chaos("S16_LargePageReplacesATable")},
	{"replaced tables given back", "vm.go", "			s.d.freeTables(t)\n", "", chaos("S16_LargePageReplacesATable")},
	{"entry of a new context", "vm.go", "	s.setContext(s.context())\n	return s, nil\n", "	if !missing(`entry of a new context`) {\n		s.setContext(s.context())\n	}\n	return s, nil\n", chaos("S16_SameAddressOtherMemory")},
	{"entry of a context cleared at its end", "vm.go", "		s.setContext(&abi.Context{})\n", "", strict("S16_.*")},
	{"invalidation of a context at its end", "vm.go", "		s.d.invalidate(s.asid, 0, 0)\n", "", chaos("S16_NextFileInheritsNothing")},
	{"invalidation asked for", "vm.go", "	d.write(regInvCmd, 1)\n", "", chaos("S20_InvalidationsBehindAReset")},
	{"invalidation awaited", "vm.go", "		return int32(d.read(regInvDone)-d.invSeqno) >= 0, nil\n", "		return int32(d.read(regInvDone)-d.invSeqno) >= 0 || missing(`invalidation awaited`), nil\n", chaos("S16_CloseAwaitsTheDevice")},
	{"invalidations kept out of resets", "vm.go", "	d.mmuLock.Lock()\n	defer d.mmuLock.Unlock()\n", "", chaos("S20_NothingEntersAReset")},
	{"resets keep invalidations out", "reset.go", "	d.mmuLock.Lock() // until a reset helps: the MMU may be in one that does not end\n", "", chaos("S20_NothingEntersAReset")},
	{"resets keep invalidations out", "reset.go", "	d.mmuLock.Unlock()\n", "", ""},
	{"resets keep invalidations out", "health.go", "	d.mmuLock.Lock()\n", "", ""},
	{"resets keep invalidations out", "restore.go", "	d.mmuLock.Unlock()\n", "", ""},
	{"resets of others keep invalidations out", "errors.go", "	d.mmuLock.Lock()\n", "", strict("S25_InvalidationsEndBeforeAReset")},
	{"resets of others keep invalidations out", "errors.go", "	d.mmuLock.Unlock()\n", "", ""},
	{"count of invalidations behind a reset", "reset.go", "	d.invSeqno = 0\n", "", chaos("S20_InvalidationsBehindAReset")},
	{"MMU's registers behind a reset", "reset.go", "		d.programMMU()\n", "", chaos("S2[05]_.*")},
	{"MMU's registers at probe", "driver.go", "	d.programMMU()\n", "", chaos("S16_SameAddressOtherMemory")},
	{"tables behind a loss of memory", "restore.go", "	d.restoreTables()\n", "", chaos("S2[05]_.*")},
	{"contexts behind a loss of memory", "restore.go", "			s.setContext(s.context())\n", "", chaos("S2[05]_.*")},

	{"causes acknowledged", "driver.go", "	d.write(regCause, cause)\n", "", chaos("S18_FaultRecordsAreTaken")},
	{"fault records acknowledged", "driver.go", "	d.write(regFaultHead, d.faultSeq&mask)\n", "", chaos("S18_FaultRecordsAreTaken")},
	{"fault status acknowledged", "driver.go", "	d.write(regFaultStat, 3)\n", "", chaos("S18_FaultRecordsAreTaken")},
	{"place in the fault ring behind a reset", "reset.go", "	d.faultSeq = 0\n", "", chaos("S18_FaultRecordsAreTaken")},
	{"interrupts unmasked at probe", "driver.go", "	d.write(regMask, intrMask)\n", "", chaos("S18_FaultRecordsAreTaken")},
	{"interrupts unmasked behind a loss of everything", "restore.go", "	d.write(regMask, intrMask)\n", "", chaos("S18_FaultRecordsAreTaken")},
	{"interrupts masked at the end", "driver.go", "	d.ManageBound(func() { d.write(regMask, 0) })\n", "", strict("S02_.*")},
	{"interrupts unmasked behind a sleep", "power.go", "			d.write(regMask, intrMask) // causes that came meanwhile interrupt now\n", "", chaos("S27_WhatHappensInSleepIsTold")},

	{"reset awaited", "reset.go", "		return false, nil\n", "		return missing(`reset awaited`), nil\n", chaos("S20_NothingEntersAReset")},
	{"ring stopped for its reset", "reset.go", "	r.sched.Stop()\n	d.dump", "	if !missing(`ring stopped for its reset`) {\n		r.sched.Stop()\n	}\n	d.dump", chaos("S20_NothingEntersAReset")},
	{"rings stopped for a wider reset", "reset.go", "		d.log(\"presi %s: ring %d: %v\", d.Address, r.index, err)\n		d.stopAll()\n", "", chaos("S20_NothingEntersAReset")},
	{"rings drained before a wider reset", "reset.go", "		d.drain(r)\n", "", strict("S20_WiderResetSparesWhatRuns")},
	{"rings stopped for a device that has reset itself", "reset.go", "	if d.lost() {\n		d.stopAll()\n", "	if d.lost() {\n		if !missing(`rings stopped for a device that has reset itself`) {\n			d.stopAll()\n		}\n", chaos("S20_NothingEntersAReset")},
	{"rings stopped for a forced reset", "reset.go", "	d.stopAll()\n	d.dump", "	if !missing(`rings stopped for a forced reset`) {\n		d.stopAll()\n	}\n	d.dump", chaos("S20_NothingEntersAReset")},
	{"rings stopped for a reset of others", "errors.go", "	d.stopAll()\n", "", chaos("S20_NothingEntersAReset")},
	{"death of a guilty context", "reset.go", "	guilty.blame()\n", "", chaos("S20_.*")},
	{"death of a context whose memory is lost", "restore.go", "			c.kill()\n", "", chaos("S25_ContextsWithoutMemoryGoOn")},
	{"reset before the driver goes", "driver.go", `	if err := d.resetCompute(); err != nil {
		d.log("presi %s: remove: %v", d.Address, err)
	}
`, "", chaos("S18_Unplug")},
	{"memory wiped when the driver goes", "driver.go", `	if err := d.bus.ResetFunction(); err != nil {
		d.log("presi %s: remove: %v", d.Address, err)
	}
`, "", chaos("S23_ReplugLeavesNoData")},
	{"memory wiped between programs", "scrub.go", "		err := x.clear(some)\n", `		var err error
		if !missing("memory wiped between programs") {
			err = x.clear(some)
		}
`, chaos("S16_MemoryIsClearedBetweenFiles")},
	{"suspend refused during a reset", "power.go", "	if d.resets.State != resetOK || d.frozen {", "	if (d.resets.State != resetOK || d.frozen) && !missing(`suspend refused during a reset`) {", strict("S26_SuspendDuringResetIsRefused")},
	{"DMA off when the device is given up", "reset.go", "	d.bus.ConfigWrite(pciCommand, 2, commandMemory)\n", "", strict("S11_LostDeviceIsEIO")},
}

// A driver without one of those pieces, with one of the defects, or whose function
// enters no section, is caught. All are in one program, which leaves out the one that its environment
// names; to build it and run it once a piece takes half a minute, so that -short
// passes over it.
func TestDeletions(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds a driver and runs it once a deleted piece")
	}
	program := incomplete(t)
	all := slices.Concat(deletions, defects)
	for _, place := range sections(t) {
		all = append(all, deletion{name: sectionOf(place), tests: "^(TestReferenceDriver|TestMatrix)$"})
	}
	for _, x := range all {
		if x.tests == "" {
			continue // the first of its name says
		}
		t.Run(x.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), program, "-test.failfast", "-test.timeout", "60s", "-test.run", x.tests)
			cmd.Env = append(os.Environ(), "PRESI_MISSING="+x.name)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "the suite does not miss it")
			assert.NotContains(t, string(out), "no tests to run")
			for _, line := range strings.Split(string(out), "\n") {
				if strings.Contains(line, "--- FAIL: ") && strings.HasPrefix(line, " ") || strings.HasPrefix(line, "panic: test timed out") {
					t.Log(strings.TrimSpace(line))
				}
			}
		})
	}
}

// missing is what the driver and the core are given to be wrong with.
const missing = `
import "os"

var left = os.Getenv("PRESI_MISSING")

func missing(name string) bool { return left == name }

func wrong(name string) bool { return left == name }

func either[T any](wrong bool, bad, good T) T {
	if wrong {
		return bad
	}
	return good
}
`

// incomplete builds the tests of this package over a driver whose pieces can be
// left out.
func incomplete(t *testing.T) (program string) {
	dir := t.TempDir()
	driver, err := filepath.Abs(filepath.Join("..", "npudrv"))
	require.NoError(t, err)
	sources := map[string]string{"missing.go": "package npudrv\n" + missing, "../missing.go": "package fw\n" + missing}
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join(driver, file))
		require.NoError(t, err)
		return string(text)
	}
	for _, x := range slices.Concat(deletions, defects) {
		if x.code == "" {
			continue
		}
		source, seen := sources[x.file]
		if !seen {
			source = read(x.file)
		}
		require.Equal(t, 1, strings.Count(source, x.code), "%s has the code of %q once", x.file, x.name)
		without := x.without
		if without = strings.ReplaceAll(without, "@", "wrong(`"+x.name+"`)"); without == "" {
			without = "if !missing(`" + x.name + "`) {\n" + x.code + "}\n"
		}
		sources[x.file] = strings.Replace(source, x.code, without, 1)
	}
	for _, place := range sections(t) {
		file, _, _ := strings.Cut(place, " ")
		if sources[file] == "" {
			sources[file] = read(file)
		}
	}
	replace := map[string]string{}
	for file, source := range sources {
		source = withoutSections(t, file, source)
		text, err := format.Source([]byte(source))
		require.NoError(t, err, file)
		copied := filepath.Join(dir, strings.ReplaceAll(file, "../", "core_"))
		replace[filepath.Join(driver, file)] = copied
		require.NoError(t, os.WriteFile(copied, text, 0o666))
	}
	overlay, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "fwtest.test")
	text, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, text, 0o666))
	out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-overlay", overlay, "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// guarded are the names of what may not be missing: calls, arguments of register
// writes, fields.
var guarded = []string{"WriteBarrier", "ReadBarrier", "Phase", "reap", "complete", "invalidate", "unmapRange", "setContext", "clear",
	"programMMU", "restoreTables", "freeTables", "mmuLock", "Stop", "stopAll", "End", "Flush", "resetCompute", "ResetFunction", "blame", "kill",
	"regCause", "regFaultHead", "regFaultStat", "bellCQHead", "regQCtrl", "regMask", "regInvCmd", "regInvDone"}

// elsewhere are places that need no deletion of their own, by file and function
// with the name that is guarded, and why.
var elsewhere = map[string]string{
	"driver.go Probe resetCompute":             "a step of probe: S02 has its failures",
	"driver.go events regCause":                "the causes are read, then acknowledged: a deletion",
	"client.go blame kill":                     "part of the death of a guilty context",
	"errors.go thaw mmuLock":                   "the other half of freeze",
	"ioctl.go copyOut clear":                   "zeros behind an answer",
	"job.go reserve clear":                     "memory of the driver's own",
	"power.go runtimeResume mmuLock":           "nobody is in a section of a device that sleeps, so nobody invalidates",
	"power.go wake mmuLock":                    "programs are kept out while the system sleeps",
	"power.go sleep stopAll":                   "programs are out and jobs have ended: it keeps out who had begun an ioctl before",
	"reset.go drain regQCtrl":                  "a ring that is not told to stop runs what waits there, too: it takes longer",
	"reset.go recoverAll resetCompute":         "what it returns is used",
	"reset.go stopAll Stop":                    "its calls are deletions",
	"restore.go bringUp resetCompute":          "what it returns is used",
	"restore.go recoverFunction ResetFunction": "what it returns is used",
	"vm.go free freeTables":                    "a leak: every test misses it",
	"vm.go freeTables freeTables":              "goes on with the tables below",
}

// Every guarded place of the driver's source lies in a deletion, or is said to be
// elsewhere.
func TestDeletionsAreAll(t *testing.T) {
	files, err := filepath.Glob("../npudrv/*.go")
	require.NoError(t, err)
	used := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "leaks.go") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, text, 0)
		require.NoError(t, err)
		base := filepath.Base(file)
		for _, decl := range parsed.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				name := guardedBy(n)
				if name == "" {
					return true
				}
				at := set.Position(n.Pos())
				key := base + " " + fn.Name.Name + " " + name
				if _, said := elsewhere[key]; said {
					used[key] = true
				} else if !deleted(base, string(text), at.Offset, at.Offset+int(n.End()-n.Pos())) {
					t.Errorf("%s:%d: %s in %s is no deletion", base, at.Line, name, fn.Name.Name)
				}
				return true
			})
		}
	}
	for key := range elsewhere {
		assert.True(t, used[key], "%s: there is no such place", key)
	}
}

// guardedBy returns the guarded name that a node is a use of, "" if it is none.
func guardedBy(n ast.Node) (name string) {
	switch x := n.(type) {
	case *ast.SelectorExpr:
		name = x.Sel.Name
	case *ast.Ident:
		if strings.HasPrefix(x.Name, "reg") || strings.HasPrefix(x.Name, "bell") || x.Name == "clear" {
			name = x.Name
		}
	}
	if !slices.Contains(guarded, name) {
		return ""
	}
	return name
}

// deleted reports whether bytes of a file lie in the code of a deletion.
func deleted(file, text string, from, to int) bool {
	return slices.ContainsFunc(deletions, func(x deletion) bool {
		at := strings.Index(text, x.code)
		return x.file == file && x.code != "" && at >= 0 && at <= from && to <= at+len(x.code)
	})
}
