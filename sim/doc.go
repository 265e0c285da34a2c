// Package sim is the discrete-event core: time, the event loop, processes,
// shared resources, seeded streams, statistics and traces. It knows nothing of
// hardware.
//
// One loop, one total order: events run by (time, insertion). Models schedule
// values (a handler and a payload word), never closures, so the steady state
// allocates nothing. The queue is a hierarchy of timing wheels: scheduling and
// running an event costs the same with ten or a hundred thousand pending.
//
// An instant ends when no event of it is left. Who shares something out among
// several decides there, by an Arbiter, so that no outcome depends on the order in
// which the instant's requests were made.
//
// Two kinds of resources are used again and again. A Calendar is a unit that
// serves in order and is asked at the time of the request. A Link is a serial
// resource that several sources share: a long transfer is cut at the next quantum
// when a rival comes, and the cost follows messages, not bytes. Whatever else
// takes time schedules its own events. What fires when something is done is a
// Call, a value.
//
// Driver and test code runs as processes: coroutines of which exactly one runs
// at a time, in the loop's order. A wait is known by a ticket that is unique in
// the engine, so a late wake-up or time-out never ends a later wait. Ordinary
// goroutines enter through one inbox (Post, and Do with Serve); when their calls
// land is the one thing that is not reproducible.
//
// A simulation that ends with somebody waiting is an error that names each
// waiter and what it waits for. Errors of handlers stop the loop (Fail) and are
// returned by Run. A panic of a process surfaces with the process's name.
package sim
