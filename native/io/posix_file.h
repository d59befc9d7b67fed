// Files of the operating system.
//
// Threads: each File from one thread at a time, but for preallocate(), which may run beside the
// other calls. The FileSystem from any thread.
#ifndef FRESHET_IO_POSIX_FILE_H_
#define FRESHET_IO_POSIX_FILE_H_

#include <memory>

#include "native/io/file.h"

namespace freshet {

std::unique_ptr<FileSystem> make_posix_file_system();

}  // namespace freshet

#endif  // FRESHET_IO_POSIX_FILE_H_
