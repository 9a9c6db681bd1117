package event

import (
	"errors"
	"strconv"
)

// ParseInvalidation reads the data of a dev.lethe.invalidated.v1 as somebody typed or sent it to be published: strictly.
// An unknown or doubled field, a target that is not understood and an empty list are errors that wrap ErrInvalid and name
// the field, like targets[2].tag.
func ParseInvalidation(data []byte) (targets []Target, reason string, err error) {
	s := scanner{data: data}
	seen := map[string]bool{}
	more, err := s.open('{', '}')
	for more && err == nil {
		var name string
		if name, err = s.key(seen); err != nil {
			break
		}
		switch name {
		case "targets":
			targets, err = s.strictTargets()
		case "reason":
			if reason, err = s.string(); err == nil {
				err = checkReason(reason)
			} else {
				err = within("reason", asError(err))
			}
		default:
			err = invalid(clip(name), "is no field of an invalidation: use targets and reason")
		}
		if err == nil {
			more, err = s.next('}')
		}
	}
	if err == nil {
		err = s.end()
	}
	if err == nil && len(targets) == 0 {
		err = invalid("targets", `at least one is needed, like {"tag":"user:42"}`)
	}
	if err != nil {
		if e := new(Error); errors.As(err, &e) && e.Field != "" {
			return nil, "", err
		}
		return nil, "", within("body", asError(err))
	}
	return targets, reason, nil
}

// key is a member's name that has not been seen before.
func (s *scanner) key(seen map[string]bool) (string, error) {
	text, err := s.name()
	if err != nil {
		return "", err
	}
	name := string(text)
	if seen[name] {
		return "", invalid(clip(name), "is given twice")
	}
	seen[name] = true
	return name, nil
}

func (s *scanner) strictTargets() (targets []Target, err error) {
	more, err := s.open('[', ']')
	for more && err == nil {
		t, err := s.target(false)
		if err != nil {
			return nil, within("targets["+strconv.Itoa(len(targets))+"]", asError(err))
		}
		targets = append(targets, t)
		if more, err = s.next(']'); err != nil {
			return nil, within("targets", asError(err))
		}
	}
	if err != nil {
		return nil, within("targets", asError(err))
	}
	return targets, nil
}
