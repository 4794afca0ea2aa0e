// What train, eval and predict share: flags for the settings of a Config, and the choice of a backend.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "command_line/command.h"
#include "data/dataset/dataset.h"
#include "train/config/config.h"

namespace laban {
class Backend;
struct CpuSettings;
}  // namespace laban

namespace laban::tools {

/// Flags for settings, kept as text in the order given until a Config is there to apply them to.
class ConfigFlags {
 public:
  /// One flag for each setting, grouped by section; `only` (flags without dashes) limits them. Retired spellings
  /// are taken too, with a note on stderr.
  void add_to(Command& command, const std::vector<std::string>& only = {});
  /// Throws UsageError for values that do not suit.
  void apply(Config& config) const;
  /// The flags that were given, without dashes.
  std::vector<std::string> given() const;
  bool has(const std::string& flag) const;

 private:
  Argument& add(Command& command, const Setting& setting);

  std::vector<std::pair<std::string, std::string>> values_;
};

/// The threads and the instruction set that `config` names.
CpuSettings cpu_settings(const Config& config);
/// The backend that `config` names, computing with config.machine.threads threads. Throws Error where this
/// build has none.
std::unique_ptr<Backend> make_backend(const Config& config);

/// For a dataset whose place a checkpoint or a run folder named, not the command line: what is found in its
/// videos is kept in the dataset only where laban has done so before, else in the user's cache folder.
void keep_index_apart(Config& config);

/// Writes the number of processors that this process may use where the config leaves the number of threads or
/// workers open, so that the saved config says what was used.
void choose_threads(Config& config);

/// "cuda" or "cpu" in place of "auto", whichever works here, saying which and why in a line on stderr. The saved
/// config so says what was used. Throws UsageError where the precision needs a device that auto does not choose.
void choose_device(Config& config);

/// "train 108, val 27, test 0 clips"
std::string split_sizes(const Dataset& dataset);
/// What a person should know of a dataset, on stderr.
void print_notes(const Dataset& dataset);
/// The flags that say how a dataset lies on the disk and how it is split, for ConfigFlags::add_to.
std::vector<std::string> dataset_flags();
/// Those that say how much work a file may cause.
std::vector<std::string> limit_flags();

}  // namespace laban::tools
