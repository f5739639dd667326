package engine

import "sync/atomic"

// Sink takes what a service logs from the reactors to whoever writes it. A reactor collects entries for a while and
// hands them over at the end of a turn, without waiting: when the writer is behind, they are dropped and counted.
type Sink[T any] struct {
	batches chan []T
	spare   chan []T // memory that has been given back
	dropped atomic.Uint64
}

const (
	sinkQueue = 64        // batches that wait for the writer
	sinkBytes = 256 << 10 // bytes or records of one batch, about; what comes on top in the same turn is dropped
	sinkMany  = 512       // entries that are handed over before their time
)

func newSink[T any]() *Sink[T] {
	return &Sink[T]{batches: make(chan []T, sinkQueue), spare: make(chan []T, sinkQueue)}
}

// Batches returns the channel of what is to be written. Each batch comes from one reactor, in order.
func (k *Sink[T]) Batches() <-chan []T { return k.batches }

// Done gives the memory of a batch back after it has been written.
func (k *Sink[T]) Done(batch []T) {
	select {
	case k.spare <- batch[:0]:
	default:
	}
}

// Dropped returns how many entries have been lost because the writer was behind.
func (k *Sink[T]) Dropped() uint64 { return k.dropped.Load() }

// sinkBatch is what one reactor has for a sink.
type sinkBatch[T any] struct {
	sink    *Sink[T]
	content []T
	entries int
}

// room tells if the batch takes one more entry, and otherwise counts it as dropped.
func (b *sinkBatch[T]) room() bool {
	if len(b.content) >= sinkBytes {
		b.sink.dropped.Add(1)
		return false
	}
	if b.content == nil {
		select {
		case b.content = <-b.sink.spare:
		default:
		}
	}
	return true
}

// set replaces the content by itself with one more entry.
func (b *sinkBatch[T]) set(content []T) {
	b.content = content
	b.entries++
}

// hand gives the entries to the writer, if it is time for them or there are many.
func (b *sinkBatch[T]) hand(due bool) {
	if b.entries == 0 || !due && b.entries < sinkMany && len(b.content) < sinkBytes/2 {
		return
	}
	select {
	case b.sink.batches <- b.content:
		b.content = nil
	default:
		b.sink.dropped.Add(uint64(b.entries))
		b.content = b.content[:0]
	}
	b.entries = 0
}
