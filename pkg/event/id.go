package event

import "github.com/google/uuid"

// NewID is a fresh event id: a UUIDv7, which sorts by the time it was made.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
