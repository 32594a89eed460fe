// Package e2e has the tests of the real binary, and nothing but tests. TestMain makes the
// test binary the command cairn. The tests start it, talk to it over HTTP, kill it and look
// at what it leaves on the disk. Their fixtures are in testdata at the top of the repository.
//
// Read main_test.go first: it runs the scripts of testdata/script. server_test.go starts and
// restarts a server for one test. Then, in any order: kill*_test.go kill the server under
// load, power_linux_test.go cuts the power of its disk as well, sdk*_test.go run the vendors'
// own SDKs against it, dashboard*_test.go look at the dashboard in a real browser,
// hostile*_test.go send the worst requests of a stranger, limits_test.go sends events that are
// too large, where_test.go sends the same visitors by every dialect, and datadir_test.go gives
// the commands directories of all sorts. arch_test.go reads every Go file of the repository and
// holds the plan of its rooms.
package e2e
