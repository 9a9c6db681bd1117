package cmdtest

import "time"

// Patience is how long a test waits for what has to happen. Nothing is measured with it: a machine may be as busy as it likes.
const Patience = 3 * time.Minute
