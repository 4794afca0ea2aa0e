// stdin, stdout and stderr, whatever state the program was given them in.
#pragma once

namespace laban::tools {

/// Puts /dev/null where one of the descriptors 0 to 2 is closed. Otherwise the next file that is opened would
/// get its number, and what is printed would end up in it. To be called before any file is opened.
void open_standard_streams();

/// Writes out what still waits for stdout. Returns `code`, or 1 where that was 0 and some of the output was
/// lost, which is then said on stderr. A reader who has gone away (`| head`, a closed terminal) has lost
/// nothing.
int finish_output(int code);

}  // namespace laban::tools
