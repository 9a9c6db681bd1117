package lethe

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/lethe-cache/lethe/pkg/event"
)

// lengths are where the two libraries and their users count differently: 7, 14, 16, 21 bits, a shard, a quarter of one.
func lengths() (all []int) {
	for _, at := range []int{0, 127, 1 << 14, 1 << 15, 1<<16 - 18, 1 << 16, 1 << 18, 1 << 20, 1 << 21, 1 << 22} {
		for _, d := range []int{-24, -18, -5, -1, 0, 1, 17, 40} {
			if at+d >= 0 {
				all = append(all, at+d)
			}
		}
	}
	return all
}

func smallTiers(t testing.TB, megabytes int) *tiers {
	t.Helper()
	tr, err := newTiers(&Config{MaxBytes: int64(megabytes) << 20, MaxHot: 100, MaxHotBytes: 1 << 20, MaxTTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.close)
	return tr
}

type sizedItem uint32

func (s sizedItem) bytes() uint32 { return uint32(s) }
func (sizedItem) sampled() bool   { return false }
func (sizedItem) compare()        {}
func (sizedItem) verify()         {}

// putAndFind stores a pair of these lengths the way a node does, and finds it: whole where it fits, not at all where it does not.
func putAndFind(t testing.TB, tr *tiers, name string, key, value int) {
	t.Helper()
	text := (name + strings.Repeat("k", key))[:max(key, len(name))]
	encoded := bytes.Repeat([]byte{byte(value)}, value)
	fits := tr.fits(text, encoded)
	if fits {
		if err := tr.bulk.Set(text, encoded); err != nil {
			t.Fatalf("a key of %d and a value of %d bytes fit, and: %v", key, value, err)
		}
	}
	if b, ok := tr.find([]byte(text)); ok != fits || ok && !bytes.Equal(b, encoded) {
		t.Fatalf("a key of %d and a value of %d bytes fit: %v; found: %v, %d bytes", key, value, fits, ok, len(b))
	}
	tr.setHot(uint64(key)<<32|uint64(value), sizedItem(max(min(value, int(tr.hotMost)), 1)))
	tr.hot.CleanUp()
	if tr.hotBytes.Load() > 1<<20 || tr.hotBytes.Load() < 0 {
		t.Fatalf("the hot tier has %d bytes", tr.hotBytes.Load())
	}
}

// Every pair of lengths, into tiers that are empty, growing and full: what fits is kept whole, what does not changes nothing, and the
// libraries never panic. Keys are as long as text lets them be.
func TestEveryPairOfLengthsIsKeptOrPassedBy(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, megabytes := range []int{1, 3, 8} {
		tr := smallTiers(t, megabytes)
		for i, key := range lengths() {
			if key > event.MaxKey+10 { // core.text refuses it
				continue
			}
			for j, value := range lengths() {
				if value > 1<<18 && (i+j)%8 != 0 {
					continue
				}
				putAndFind(t, tr, strconv.Itoa(i)+"."+strconv.Itoa(j)+".", key, value)
				for range 3 { // others in between, so that the queue's ends stand everywhere
					putAndFind(t, tr, strconv.Itoa(rng.IntN(100)), rng.IntN(300), rng.IntN(3000))
				}
			}
		}
		if tr.bulk.Capacity() > megabytes<<20 {
			t.Errorf("bulk has %d bytes", tr.bulk.Capacity())
		}
		if tr.bulkEvicted[1].Load() == 0 {
			t.Error("nothing was evicted: this run shows nothing")
		}
	}
}

func FuzzPairsOfLengths(f *testing.F) {
	f.Add([]byte{1, 0, 5, 200, 255, 255, 16, 0, 64, 3})
	f.Fuzz(func(t *testing.T, data []byte) {
		tr := smallTiers(t, 1)
		for i := 0; i+4 < len(data) && i < 2000; i += 5 {
			key := (int(data[i])<<8 | int(data[i+1])) % (event.MaxKey + 11)
			value := int(data[i+2])<<16 | int(data[i+3])<<8 | int(data[i+4])
			putAndFind(t, tr, strconv.Itoa(i%50)+".", key, value%(1<<20))
		}
	})
}

// xxHash is no cryptographic one: a text of any hash can be made, also of 0, which bigcache takes for a deleted entry.
func TestNoTextHasTheHashThatBigcacheTakesForADeletedEntry(t *testing.T) {
	t.Parallel()
	const p1, p2, p4, p5 uint64 = 0x9e3779b185ebca87, 0xc2b2ae3d27d4eb4f, 0x85ebca77c2b2ae63, 0x27d4eb2f165667c5
	inverse := func(n uint64) uint64 {
		x := n
		for range 6 {
			x *= 2 - n*x
		}
		return x
	}
	lane := bits.RotateLeft64((^p4+1)*inverse(p1), -27) ^ (p5 + 8) // what the last step but the final mix, which keeps 0, has to get
	text := binary.LittleEndian.AppendUint64(nil, bits.RotateLeft64(lane*inverse(p1), -31)*inverse(p2))
	if sum := xxhash.Sum64(text); sum != 0 {
		t.Fatalf("the text has the hash %x: this run shows nothing", sum)
	}
	if (xxHasher{}).Sum64(string(text)) == 0 {
		t.Fatal("a hash of 0 reaches bigcache")
	}
	tr := smallTiers(t, 1)
	if err := tr.bulk.Set(string(text), []byte("value")); err != nil {
		t.Fatal(err)
	}
	for i := range 4000 { // it is evicted, and what stands in its place is no entry's beginning
		if err := tr.bulk.Set(strconv.Itoa(i), bytes.Repeat([]byte{0xff}, 1000+i%300)); err != nil {
			t.Fatal(err)
		}
		tr.find(text)
	}
	if _, ok := tr.find(text); ok {
		t.Error("an entry that was evicted is found")
	}
}
