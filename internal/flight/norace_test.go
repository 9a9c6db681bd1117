//go:build !race

package flight_test

const share = 1
