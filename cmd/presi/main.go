// Command presi is a pre-silicon laboratory for accelerators: it runs networks,
// through a driver, on a simulated PCIe accelerator and says how long they took
// and what bounded them.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// ballast is heap that is never touched, so it takes no memory; it counts for the
// garbage collector, which then lets a short run end without a collection.
var ballast = make([]byte, 64<<20)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal ends the run, the second one the program
	a := &app{out: os.Stdout, err: os.Stderr, terminal: isTerminal(os.Stderr)}
	code := a.execute(ctx, os.Args[1:])
	runtime.KeepAlive(ballast)
	os.Exit(code)
}

// isTerminal reports a device that shows characters to somebody.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
