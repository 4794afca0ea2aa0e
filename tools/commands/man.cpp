// laban man: the manual pages, as installing laban puts them where man looks.
#include <filesystem>
#include <memory>
#include <string>

#include "command_line/man.h"
#include "commands/commands.h"
#include "core/error.h"
#include "core/files.h"

namespace laban::tools {
namespace {

namespace fs = std::filesystem;

void write_man_pages(const Command& program, const fs::path& folder) {
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed)
    throw FileError(folder.string(), "the folder cannot be made: " + failed.message(), "Choose another.");
  for (const ManPage& page : man_pages(program, LABAN_VERSION)) write_file(folder / page.name, page.roff);
}

}  // namespace

void add_man(Command& program) {
  auto folder = std::make_shared<std::string>();
  Command& command =
      program.subcommand("man", "write the manual pages laban.1, laban-train.1, ... to a folder");
  command.add("DIR,-o,--output", *folder, "folder for the pages").path(PathKind::folder).required();
  command.example("laban man /usr/local/share/man/man1").hidden();
  command.action([folder, &program] { write_man_pages(program, *folder); });
}

}  // namespace laban::tools
