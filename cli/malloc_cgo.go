//go:build cgo && linux

package cli

// #include <malloc.h>
// static void bound_malloc(void) {
// #ifdef __GLIBC__
// 	mallopt(M_ARENA_MAX, 1);
// 	mallopt(M_MMAP_THRESHOLD, 64 << 10);
// 	mallopt(M_TRIM_THRESHOLD, 128 << 10);
// #endif
// }
import "C"

// boundMalloc has C give memory back. In a build with cgo, Pebble has its memtables and its
// cache from the allocator of C. By default, glibc makes an arena for nearly every thread, and
// takes a memtable from an arena once one of that size was freed. An arena returns only what is
// free at its end, so the process kept 30 to 50 MiB of memtables that Pebble had freed. Now
// there is one arena, and a memtable has pages of its own.
func boundMalloc() { C.bound_malloc() }
