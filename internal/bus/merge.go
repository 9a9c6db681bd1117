package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// merged is a configuration as the server has it, with what has changed from was to is, which are readings of it by this client. Fields
// that this client does not know stay as they are, which a newer server or an operator may have set.
func merged(raw json.RawMessage, was, is any) (json.RawMessage, error) {
	var all, before, after map[string]json.RawMessage
	for _, c := range []struct {
		from any
		to   *map[string]json.RawMessage
	}{{raw, &all}, {was, &before}, {is, &after}} {
		text, err := json.Marshal(c.from)
		if err == nil {
			err = json.Unmarshal(text, c.to)
		}
		if err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
	}
	for field, value := range after {
		if !bytes.Equal(before[field], value) {
			all[field] = value
		}
	}
	for field := range before {
		if _, there := after[field]; !there {
			delete(all, field)
		}
	}
	return json.Marshal(all)
}
