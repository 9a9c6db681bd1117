package event

// Name is the wire name of a memoized function of one argument. An untyped constant converts to it, so
// Memoize(node, "catalog.price", db.Price) works; a typed constant lets writers that do not cache share it:
//
//	const Price event.Name[string] = "catalog.price"
type Name[K any] string

// Key is what this function remembers for k. An illegal name, or a k that JSON can't express, is the target's Err.
func (n Name[K]) Key(k K) Target {
	var room [64]byte
	key, err := appendArg(append(room[:0], '['), k)
	return keyed(string(n), key, err)
}

// All is everything this function remembers.
func (n Name[K]) All() Target { return Function(string(n)) }

// Name2 is Name for functions of two arguments.
type Name2[A, B any] string

// Key is what this function remembers for a and b.
func (n Name2[A, B]) Key(a A, b B) Target {
	var room [64]byte
	key, err := appendArg(append(room[:0], '['), a)
	if err == nil {
		key, err = appendArg(append(key, ','), b)
	}
	return keyed(string(n), key, err)
}

// All is everything this function remembers.
func (n Name2[A, B]) All() Target { return Function(string(n)) }

// Name3 is Name for functions of three arguments.
type Name3[A, B, C any] string

// Key is what this function remembers for a, b and c.
func (n Name3[A, B, C]) Key(a A, b B, c C) Target {
	var room [64]byte
	key, err := appendArg(append(room[:0], '['), a)
	if err == nil {
		key, err = appendArg(append(key, ','), b)
	}
	if err == nil {
		key, err = appendArg(append(key, ','), c)
	}
	return keyed(string(n), key, err)
}

// All is everything this function remembers.
func (n Name3[A, B, C]) All() Target { return Function(string(n)) }

// appendArg is AppendCanonical without boxing what is common: a string that becomes an any is an allocation.
func appendArg[K any](dst []byte, k K) ([]byte, error) {
	switch v := any(k).(type) {
	case string:
		return AppendCanonicalString(dst, v)
	case int:
		return appendInt(dst, int64(v)), nil
	case int64:
		return appendInt(dst, v), nil
	}
	return AppendCanonical(dst, k)
}

func keyed(function string, open []byte, err error) Target {
	if err != nil {
		return failed(within("args", err))
	}
	return FromCanonical(function, string(append(open, ']')))
}
