// Command capacity answers how many nodes and how many invalidations a server carries, and checks its answers where one machine can.
//
//	go run ./capacity -nodes 1000 -rate 500 -keys 1   what that takes
//	go run ./capacity -table                           the table of docs/capacity.md
//	go run ./capacity -calibrate                       measure the constants anew (two minutes), into capacity/constants.json
//	go run ./capacity -check                           run 10, 50 and 100 nodes and compare with what is predicted
//	go run ./capacity -simulate                        simulate the queue in front of the server and compare latencies
//
// The model is model.go; every number in it that is not the design's own stands in constants.json, as -calibrate has measured it.
package main
