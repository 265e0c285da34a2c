package validate

import (
	"context"
	"fmt"

	"github.com/presi-sim/presi/validate/batch"
	"github.com/presi-sim/presi/validate/refs"
)

// Options of a validation.
type Options struct {
	Refs    refs.Files
	Workers int // goroutines; 0: as many as processors
	// Progress is told of each reference that is done.
	Progress func(done, total int)
}

// references are what models are held against, in the order of the report.
var references = []func(context.Context, *Options) ([]Table, error){
	dramTables, pcieTables, tagTables, cardTables, iommuTables, scaleSimTables, gemminiTables, tpuTables,
}

// Run holds every model against its references. Tables are the same whatever
// the number of workers. With an error come the tables that were finished.
func Run(ctx context.Context, o Options) (tables []Table, err error) {
	for i, f := range references {
		more, err := f(ctx, &o)
		if err != nil {
			return tables, err
		}
		tables = append(tables, more...)
		if o.Progress != nil {
			o.Progress(i+1, len(references))
		}
	}
	return tables, nil
}

// Passed reports whether every target holds.
func Passed(tables []Table) bool {
	for i := range tables {
		if !tables[i].Pass {
			return false
		}
	}
	return len(tables) > 0
}

// rows reads a reference that has a batch's columns and more.
func (o *Options) rows(name string, h batch.Header) ([]*batch.Row, error) {
	f, err := o.Refs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h.AnyOther = true
	return h.Read(name, f)
}

// measure runs a reference's rows as a batch and gives each result, of type T,
// to add.
func measure[T any](ctx context.Context, o *Options, name string, k *batch.Kind, add func(*batch.Row, T)) error {
	rows, err := o.rows(name, k.Header)
	if err != nil {
		return err
	}
	return batch.Ordered(ctx, len(rows), o.Workers, func(i int) any {
		if rows[i].Err() != nil {
			return nil
		}
		return k.Measure(rows[i])
	}, func(i int, v any) error {
		result, ok := v.(T)
		if ok {
			add(rows[i], result)
		}
		if err := rows[i].Err(); err != nil || ok {
			return err
		}
		return fmt.Errorf("%s:%d: a batch of %s gives %T", name, rows[i].Line, k.Name, v)
	})
}

func tablesOf(all ...*collector) (out []Table) {
	for _, c := range all {
		if len(c.errs) > 0 {
			out = append(out, c.table())
		}
	}
	return out
}
