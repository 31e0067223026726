// The allocator's settings, which glibc reads only at a program's start. docs/decisions/0039-allocator.md
#pragma once

namespace kit::cmd {

// Starts the program again, as the same process, with room in each thread's cache for the coroutine frames of
// many requests. Returns when it already is so, when the user has set the cache himself, and when it cannot
// be done: the server then works as well, a tenth slower. Call it before there is a second thread.
void start_again_with_larger_caches(char** argv);

}  // namespace kit::cmd
