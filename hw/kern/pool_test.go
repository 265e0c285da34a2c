package kern

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// countTask counts how often each of its parts ran.
type countTask struct {
	ran []atomic.Int32
	err error
}

func (c *countTask) Check() error                    { return c.err }
func (c *countTask) Parts(int) int                   { return len(c.ran) }
func (c *countTask) Run(part, parts int, s *Scratch) { c.ran[part].Add(1) }

func (c *countTask) requireEach(t *testing.T, times int32) {
	t.Helper()
	for i := range c.ran {
		require.Equal(t, times, c.ran[i].Load(), "part %d", i)
	}
}

func TestPoolRunsEachPartOnce(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 7, 64} {
		p := NewPool(workers)
		assert.Equal(t, max(workers, 1), p.Workers())
		for _, parts := range []int{0, 1, 2, 100} {
			task := &countTask{ran: make([]atomic.Int32, parts)}
			ticket := p.Submit(task)
			ticket.Wait()
			task.requireEach(t, 1)
			ticket.Wait()
			task.requireEach(t, 1)
		}
		p.Close()
	}
}

func TestPoolOfOneRunsInWait(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	task := &countTask{ran: make([]atomic.Int32, 3)}
	ticket := p.Submit(task)
	task.requireEach(t, 0)
	ticket.Wait()
	task.requireEach(t, 1)
}

// Tickets joined in any order, while others are outstanding, and after reuse of
// their job by later tasks.
func TestPoolTicketsOutOfOrder(t *testing.T) {
	for _, workers := range []int{1, 3} {
		p := NewPool(workers)
		var tasks []*countTask
		var tickets []Ticket
		for range 50 {
			task := &countTask{ran: make([]atomic.Int32, 5)}
			tasks, tickets = append(tasks, task), append(tickets, p.Submit(task))
		}
		for _, i := range []int{49, 0, 25, 24, 1} {
			tickets[i].Wait()
			tasks[i].requireEach(t, 1)
			p.Run(&countTask{ran: make([]atomic.Int32, 2)})
		}
		for i, ticket := range tickets {
			ticket.Wait()
			tasks[i].requireEach(t, 1)
		}
		p.Close()
	}
}

func TestPoolManySubmitters(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				task := &countTask{ran: make([]atomic.Int32, 3)}
				ticket := p.Submit(task)
				go ticket.Wait()
				ticket.Wait()
				for i := range task.ran {
					assert.Equal(t, int32(1), task.ran[i].Load())
				}
			}
		})
	}
	wg.Wait()
}

func TestPoolCloseFinishesWhatIsQueued(t *testing.T) {
	for _, workers := range []int{1, 4} {
		p := NewPool(workers)
		task := &countTask{ran: make([]atomic.Int32, 1000)}
		ticket := p.Submit(task)
		p.Close()
		ticket.Wait()
		task.requireEach(t, 1)
		assert.Panics(t, func() { p.Submit(task) })
	}
}

func TestPoolRefusesBadTask(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	assert.PanicsWithError(t, ErrShape.Error(), func() { p.Submit(&countTask{err: ErrShape}) })
	Ticket{}.Wait()
}

func TestPoolDoesNotAllocate(t *testing.T) {
	for _, workers := range []int{1, 2} {
		p := NewPool(workers)
		g := &Gemm{M: 8, N: 8, K: 8, A: make([]byte, 256), B: make([]byte, 256), C: make([]byte, 256), LDA: 32, LDB: 32, LDC: 32}
		assert.Zero(t, testing.AllocsPerRun(100, func() { p.Run(g) }), "%d workers", workers)
		p.Close()
	}
}

func TestPartsCover(t *testing.T) {
	for _, d := range [][2]int{{1, 1}, {1, 1000}, {1000, 1}, {37, 91}, {3, 3}} {
		for parts := 1; parts <= 128; parts *= 2 {
			seen := make([]int, d[0]*d[1])
			for i := range parts {
				p := partOf(i, parts, d[0], d[1], 8, 32)
				for m := p.m0; m < p.m1; m++ {
					for n := p.n0; n < p.n1; n++ {
						seen[m*d[1]+n]++
					}
				}
			}
			for i := range seen {
				require.Equal(t, 1, seen[i], "%v cut in %d: output %d", d, parts, i)
			}
		}
	}
	assert.Equal(t, 1, partsOf(64, 8, 8, 8), "small work stays whole")
	assert.Equal(t, 64, partsOf(33, 1000, 1000, 1000))
	assert.Equal(t, 1, partsOf(1, 10000, 10000, 1000))
	assert.Equal(t, 0, partsOf(4, 0, 5, 5))
}

func BenchmarkPoolHandOver(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	task := &countTask{ran: make([]atomic.Int32, 2)}
	b.ReportAllocs()
	for b.Loop() {
		p.Run(task)
	}
}
